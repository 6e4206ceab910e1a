/** Compares a pool of backups with the database. The names are those of docs/rbd.md. */
import type { Row } from './database.ts'
import type { RbdPlaceToCheck } from './installation.ts'
import { imageSpec, poolSpec, rbd, rbdText } from './rbd-backend.ts'

export interface RbdTargetToCheck {
  readonly name: string
  readonly place: RbdPlaceToCheck
  readonly backups: readonly Row[]
}

interface Entry {
  readonly image: string
  readonly snapshot?: string
  readonly size: number
}

/** For an installation that has nothing to do: no image without a backup, nobody who writes, no byte of a backup that is gone. */
export async function checkRbdTarget({ name, place, backups }: RbdTargetToCheck): Promise<string[]> {
  const entries = await rbd<Entry[]>(place, ['ls', '--long', poolSpec(place)])
  const trash = await rbd<{ name: string }[]>(place, ['trash', 'ls', poolSpec(place)])
  const good = backups.filter(({ status }) => status === 'available')
  const expected = new Map(good.map((row) => [`backups-${row.volume_id}@backup-${row.id}`, row]))
  const violations = trash.map((entry) => `leftover in the trash: ${entry.name}`)
  for (const { image, snapshot, size } of entries) {
    if (snapshot === undefined) continue
    const row = expected.get(`${image}@${snapshot}`)
    if (row === undefined) violations.push(`leftover: ${image}@${snapshot}`)
    else if (size !== Number(row.size_bytes))
      violations.push(`${image}@${snapshot} has ${size} bytes, not ${row.size_bytes}`)
    expected.delete(`${image}@${snapshot}`)
  }
  violations.push(...[...expected.keys()].map((missing) => `missing: ${missing}`))
  for (const { image, snapshot } of entries)
    if (snapshot === undefined) violations.push(...(await checkImage(place, image, good)))
  return violations.map((violation) => `target ${name}: ${violation}`)
}

async function checkImage(place: RbdPlaceToCheck, image: string, good: readonly Row[]): Promise<string[]> {
  const spec = imageSpec(place, image)
  const own = good.filter((row) => image === `backups-${row.volume_id}`)
  if (own.length === 0) return [`leftover: ${image}`]
  const violations: string[] = []
  if ((await rbd<unknown[]>(place, ['lock', 'ls', spec])).length > 0) violations.push(`${image} is locked`)
  const marks = await rbdText(place, ['image-meta', 'ls', spec])
  if (marks.includes('volflow.writer')) violations.push(`${image} has a writer: ${marks.trim()}`)
  const head = /volflow\.head\s+(\S.*)/.exec(marks)?.[1]?.trim()
  const size = (await rbd<{ size: number }>(place, ['info', spec])).size
  if (head === undefined && size > 0) violations.push(`${image} has ${size} bytes, and does not say of what`)
  if (head !== undefined && !own.some(({ id }) => id === head))
    violations.push(`${image} still has what was written for backup ${head}`)
  return violations
}
