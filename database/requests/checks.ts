import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { formatBytes } from '../../domain/sizes.ts'
import { requireResource, type Tx } from '../resources.ts'
import type { PlaceNames } from './places.ts'

/** Throws RequestError 400 unless the size is a whole number of MiB within the limits. */
export function checkVolumeSize(sizeBytes: number): void {
  const { volumeSizeUnitBytes, volumeSizeMaxBytes } = LIMITS
  const legal =
    Number.isSafeInteger(sizeBytes) && sizeBytes >= volumeSizeUnitBytes && sizeBytes <= volumeSizeMaxBytes
  if (legal && sizeBytes % volumeSizeUnitBytes === 0) return
  throw new RequestError(
    400,
    'invalidSize',
    `Expected the size to be a whole number of MiB from ${formatBytes(volumeSizeUnitBytes)} to ${formatBytes(volumeSizeMaxBytes)}, got ${sizeBytes} bytes.`,
  )
}

export function checkAtLeast(sizeBytes: number, source: { what: string; sizeBytes: number }): void {
  if (sizeBytes >= source.sizeBytes) return
  throw new RequestError(
    400,
    'volumeTooSmall',
    `Expected the volume to be at least as large as the ${source.what} (${source.sizeBytes} bytes, ${formatBytes(source.sizeBytes)}), got ${sizeBytes} bytes.`,
  )
}

/** Throws RequestError 409 when the volume has snapshots. */
export async function refuseSnapshots(tx: Tx, volumeId: string): Promise<void> {
  const snapshot = await tx
    .selectFrom('snapshots')
    .select('id')
    .where('volumeId', '=', volumeId)
    .executeTakeFirst()
  if (snapshot === undefined) return
  throw new RequestError(
    409,
    'volumeHasSnapshots',
    `Volume ${volumeId} still has snapshots (${snapshot.id}). Delete them first.`,
  )
}

/** The wanted place, or the first configured one. Throws RequestError 400 that lists what exists. */
export function choosePlace(
  what: 'backend' | 'store' | 'target',
  wanted: string | undefined,
  names: readonly string[],
): string {
  const name = wanted ?? names[0]
  if (name !== undefined && names.includes(name)) return name
  const known = names.length === 0 ? 'none is configured' : `configured are: ${names.join(', ')}`
  throw new RequestError(
    400,
    'unknownPlace',
    `Expected a configured ${what}, got ${wanted ?? 'none'}; ${known}.`,
  )
}

/** A target that keeps objects. `instead`: what to do where it is a pool of snapshots. Throws RequestError 400. */
export function chooseRepository(
  wanted: string | undefined,
  { targets, rbdTargets = [] }: PlaceNames,
  instead: string,
): string {
  if (wanted === undefined || !rbdTargets.includes(wanted)) return choosePlace('target', wanted, targets)
  throw new RequestError(
    400,
    'snapshotTarget',
    `Expected a target that keeps objects, but in ${wanted} backups are snapshots. ${instead}`,
  )
}

/** The snapshot's row. Throws RequestError 404, or 400 when it belongs to another volume. */
export async function requireSnapshotOf(tx: Tx, volumeId: string, key: { id: string; projectId: string }) {
  const snapshot = await requireResource(tx, 'snapshot', key)
  if (snapshot.volumeId === volumeId) return snapshot
  throw new RequestError(
    400,
    'snapshotOfOtherVolume',
    `Expected a snapshot of volume ${volumeId}, but snapshot ${snapshot.id} belongs to volume ${snapshot.volumeId}.`,
  )
}
