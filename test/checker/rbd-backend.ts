/** Compares a pool of a Ceph cluster with the database. The names are those of docs/rbd.md. */
import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { promisify } from 'node:util'
import type { Row } from './database.ts'
import type { RbdPlaceToCheck } from './installation.ts'

const execute = promisify(execFile)

export interface RbdBackendToCheck {
  readonly name: string
  readonly place: RbdPlaceToCheck
  readonly volumes: readonly Row[]
  readonly snapshots: readonly Row[]
}

interface Entry {
  readonly image: string
  readonly snapshot?: string
  readonly size: number
}

export async function checkRbdBackend(backend: RbdBackendToCheck): Promise<string[]> {
  const { place } = backend
  const entries = await rbd<Entry[]>(place, ['ls', '--long', poolSpec(place)])
  const trash = await rbd<{ name: string }[]>(place, ['trash', 'ls', poolSpec(place)])
  const violations = [
    ...checkVolumes(backend, entries),
    ...checkSnapshots(backend, entries),
    // What waits for its clones to go, and says so in its name.
    ...trash
      .filter(({ name }) => !/^volume-[-0-9a-f]{36}\.removed-/.test(name))
      .map(({ name }) => `leftover in the trash: ${name}`),
    ...(await checkWriters(backend, entries)),
  ]
  return violations.map((violation) => `backend ${backend.name}: ${violation}`)
}

function checkVolumes({ volumes, snapshots }: RbdBackendToCheck, entries: readonly Entry[]): string[] {
  const images = new Map(
    entries.filter(({ snapshot }) => snapshot === undefined).map((row) => [row.image, row.size]),
  )
  const violations: string[] = []
  const known = new Set<string>()
  for (const { id, status, size_bytes: sizeBytes } of volumes) {
    const image = `volume-${id}`
    known.add(image)
    const size = images.get(image)
    const isWithout = status === 'error'
    const mayBeWithout = ['error_deleting', 'error_managing', 'error_unmanaging'].includes(String(status))
    if (isWithout && size !== undefined) violations.push(`leftover of a volume in error: ${image}`)
    if (size === undefined && !isWithout && !mayBeWithout)
      violations.push(`volume ${id} has no image ${image}`)
    const mayDiffer = status === 'error_extending' || status === 'error_managing'
    if (size !== undefined && size !== Number(sizeBytes) && !mayDiffer)
      violations.push(`volume ${id} has ${size} bytes, the database says ${sizeBytes}`)
  }
  // An image that was replaced stays for its snapshots.
  const owners = new Set(snapshots.map((row) => String(row.volume_id)))
  for (const image of images.keys()) {
    // Given up, or never a volume: nobody's.
    if (image.startsWith('unmanaged-')) continue
    const held = /^volume-([-0-9a-f]{36})\./.exec(image)?.[1]
    const hasSnapshots = entries.some((row) => row.image === image && row.snapshot !== undefined)
    if (!known.has(image) && !(held !== undefined && owners.has(held) && hasSnapshots))
      violations.push(`leftover: ${image}`)
  }
  return violations
}

function checkSnapshots({ snapshots }: RbdBackendToCheck, entries: readonly Entry[]): string[] {
  const found = entries.flatMap(({ image, snapshot, size }) =>
    snapshot === undefined ? [] : [{ image, snapshot, size }],
  )
  const violations: string[] = []
  for (const { id, volume_id: volumeId, status, size_bytes: sizeBytes } of snapshots) {
    const own = found.filter(
      ({ image, snapshot }) => snapshot === `snapshot-${id}` && image.split('.')[0] === `volume-${volumeId}`,
    )
    if (own.length !== 1 && status !== 'error' && status !== 'error_deleting')
      violations.push(`snapshot ${id} is there ${own.length} times`)
    for (const { size } of own)
      if (size !== Number(sizeBytes)) violations.push(`snapshot ${id} has ${size} bytes, not ${sizeBytes}`)
  }
  const known = new Set(snapshots.map(({ id }) => `snapshot-${id}`))
  for (const { image, snapshot } of found) {
    if (!known.has(snapshot)) violations.push(`leftover: ${image}@${snapshot}`)
  }
  return violations
}

/** When nothing is under way, nobody holds a lock but guests, and nobody is recorded as a writer. */
async function checkWriters(
  { place, volumes }: RbdBackendToCheck,
  entries: readonly Entry[],
): Promise<string[]> {
  const violations: string[] = []
  const attached = new Set(
    volumes.filter(({ status }) => status === 'in-use').map(({ id }) => `volume-${id}`),
  )
  for (const { image, snapshot } of entries) {
    if (snapshot !== undefined || attached.has(image)) continue
    const locks = await rbd<unknown[]>(place, ['lock', 'ls', imageSpec(place, image)])
    if (locks.length > 0) violations.push(`${image} is locked: ${JSON.stringify(locks)}`)
    const marks = await rbdText(place, ['image-meta', 'ls', imageSpec(place, image)])
    if (marks.includes('volflow.writer')) violations.push(`${image} has a writer: ${marks.trim()}`)
  }
  return violations
}

/** SHA-256 (hex) of all bytes of an image or a snapshot (`image@snapshot`), as `rbd export` gives them. */
export async function rbdSha256(place: RbdPlaceToCheck, image: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of rbdBytes(place, image)) hash.update(piece)
  return hash.digest('hex')
}

/** The bytes themselves. */
export async function* rbdBytes(place: RbdPlaceToCheck, image: string): AsyncGenerator<Buffer> {
  const child = spawn('rbd', [...access(place), 'export', '--no-progress', imageSpec(place, image), '-'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const exited = once(child, 'exit') as Promise<[number | null]>
  for await (const piece of child.stdout) yield piece as Buffer
  const [code] = await exited
  if (code !== 0) throw new Error(`Expected rbd export of ${image} to succeed, got exit status ${code}`)
}

export async function rbd<T>(place: RbdPlaceToCheck, args: readonly string[]): Promise<T> {
  return JSON.parse(await rbdText(place, [...args, '--format', 'json'])) as T
}

export async function rbdText(place: RbdPlaceToCheck, args: readonly string[]): Promise<string> {
  const { stdout } = await execute('rbd', [...access(place), ...args])
  return stdout
}

function access({ confFile, keyringFile, user }: RbdPlaceToCheck): string[] {
  return ['--conf', confFile, '--keyring', keyringFile, '--id', user]
}

export function poolSpec({ pool, namespace }: RbdPlaceToCheck): string {
  return namespace === undefined ? pool : `${pool}/${namespace}`
}

export function imageSpec(place: RbdPlaceToCheck, image: string): string {
  return `${poolSpec(place)}/${image}`
}
