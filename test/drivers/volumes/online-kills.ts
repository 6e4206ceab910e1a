/**
 * Whoever is killed at whatever point of a snapshot that a guest makes: the volume's directory is right, and the call can be repeated.
 * For two files: each step takes a second.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import type { SnapshotRef } from '../../../drivers/volumes/driver.ts'
import { guest, openOnline, type Online } from './online-fixture.ts'

/** Far above the changes and commands of a call. */
const STEPS_MAX = 60

/** Every `stride`th step. */
export function describeKills(stride: number): void {
  makerKilled(stride)
  makerGone(stride)
  guestKilled(stride)
}

function makerKilled(stride: number): void {
  test('a snapshot whose maker is killed before any of its steps is made by the repeated call, at a moment since the request', async () => {
    const online = await openOnline()
    await using running = await online.start()
    let kills = 0
    for (let nth = 1; nth < STEPS_MAX; nth += stride) {
      await running.writeMore(5)
      const [ref, before] = [online.newRef(), running.written.ended]
      const killed = (await dieInSnapshot(online, ref, nth)).signal === 'SIGKILL'
      await running.writeMore(5)
      await online.driver.createSnapshot({ ...ref, guest })
      const after = running.written.begun
      await running.writeMore(5)
      const writes = await online.snapshotWrites(ref)
      expect(writes).toBeGreaterThanOrEqual(before)
      expect(writes).toBeLessThanOrEqual(after)
      expect(await online.scratch()).toEqual([])
      await online.driver.deleteSnapshot(ref)
      await merge(online)
      expect(await online.layers()).toHaveLength(2)
      if (!killed) break
      kills++
    }
    expect(kills * stride).toBeGreaterThan(10)
    expect(kills * stride).toBeLessThan(STEPS_MAX - stride)
    await running.stopWriting()
    await running.kill()
    expect(await online.volumeWrites()).toBe(running.written.ended)
  }, 240_000)
}

function makerGone(stride: number): void {
  test('a snapshot whose maker is killed and never comes back is undone, and the guest does not notice', async () => {
    const online = await openOnline()
    await using running = await online.start()
    // Every step once, without the repetition: the traces of one are what the next one finds.
    for (let nth = 3; nth < 40; nth += 2 * stride) {
      const ref = online.newRef()
      await dieInSnapshot(online, ref, nth)
      await online.driver.deleteSnapshot(ref)
      await running.writeMore(5)
      await merge(online)
    }
    const ref = online.newRef()
    await online.driver.createSnapshot({ ...ref, guest })
    await online.snapshotWrites(ref)
    expect(await online.scratch()).toEqual([])
    await running.stopWriting()
    await running.kill()
    expect(await online.volumeWrites()).toBe(running.written.ended)
  }, 240_000)
}

function guestKilled(stride: number): void {
  test('a guest that is killed before any step of a snapshot leaves a volume as after a power cut, and a snapshot or a clear failure', async () => {
    const outcomes = new Set<string>()
    for (let nth = 1; nth < STEPS_MAX; nth += stride) {
      const online = await openOnline()
      await using running = await online.start()
      await running.writeMore(10)
      const ref = online.newRef()
      const first = await dieInSnapshot(online, ref, nth, running.pid)
      const isAlive = !(await hasEnded(running.pid))
      const outcome = first.output === 'transient' ? await repeated(online, ref) : first.output
      outcomes.add(outcome)
      expect(['', 'inUse']).toContain(outcome)
      await running.kill()
      const left = await online.volumeWrites()
      if (outcome === '') expect(await online.snapshotWrites(ref)).toBeLessThanOrEqual(left)
      await online.driver.deleteSnapshot(ref)
      await online.driver.detachVolume(online)
      // Whoever writes it next, does.
      await using next = await online.start(left)
      await next.writeMore(5)
      await next.stopWriting()
      await next.kill()
      expect(await online.volumeWrites()).toBe(next.written.ended)
      if (isAlive) break
    }
    expect([...outcomes].toSorted()).toEqual(['', 'inUse'])
  }, 240_000)
}

async function repeated({ driver }: Online, ref: SnapshotRef): Promise<string> {
  return driver.createSnapshot({ ...ref, guest }).then(
    () => '',
    (error: unknown) => String(Reflect.get(Object(error), 'kind')),
  )
}

async function merge({ driver, volumeId }: Online): Promise<void> {
  await driver.compactVolume?.({ volumeId, guest, signal: AbortSignal.timeout(20_000) })
}

async function dieInSnapshot({ config }: Online, ref: SnapshotRef, nth: number, victim?: number) {
  const script = fileURLToPath(new URL('dying-call.ts', import.meta.url))
  const args = JSON.stringify({ ...ref, guest })
  const child = spawn(
    process.execPath,
    [script, JSON.stringify(config), 'createSnapshot', args, `${nth}`, `${victim ?? ''}`],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  )
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const [, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { signal, output }
}

async function hasEnded(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}
