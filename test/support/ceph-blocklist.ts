import { RBD_LIMITS } from '../../domain/rbd-limits.ts'

/** `ceph` as administrator. */
type Ceph = (...args: string[]) => Promise<string>

/** Of clients that the cluster refuses; what is refused for longer than we ever ask for would be refused without need. */
export async function checkBlocklist(ceph: Ceph): Promise<{ entries: number }> {
  const listed = await ceph('osd', 'blocklist', 'ls', '--format', 'json')
  const entries = [...listed.matchAll(/"addr": ?"([^"]+)", ?"until": ?"([^"]+)"/g)]
  const latestMs = Date.now() + RBD_LIMITS.rbdBlocklistSeconds * 1000
  const late = entries.filter(([, , until = '']) => !(Date.parse(until) <= latestMs))
  if (late.length > 0)
    throw new Error(
      `Expected clients to be refused for at most ${RBD_LIMITS.rbdBlocklistSeconds} s, got: ${late.map(([all]) => all).join('; ')}`,
    )
  return { entries: entries.length }
}
