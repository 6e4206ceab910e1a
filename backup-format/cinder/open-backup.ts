import { DriverError } from '../../domain/errors.ts'
import { type CinderBackup, readChain } from './backup.ts'
import type { BackupLocation } from '../../domain/cinder-names.ts'
import { openSha256File, type Sha256Index } from './sha256-file.ts'
import type { CinderStore } from './store.ts'
import { findGaps, type MapPart, resolveMap } from './volume-map.ts'

/** A backup with its chain resolved: everything that is needed to read its volume. */
export interface OpenCinderBackup {
  /** The full backup first, this one last. */
  readonly chain: readonly CinderBackup[]
  readonly sizeBytes: number
  readonly parts: readonly MapPart[]
  readonly sha256: Sha256Index | undefined
}

/** Throws DriverError `corrupt` when a link is missing or bytes of the volume are in no object. */
export async function openCinderBackup(
  store: CinderStore,
  location: BackupLocation,
  signal?: AbortSignal,
): Promise<OpenCinderBackup> {
  const chain = await readChain(store, location, signal)
  const sizeBytes = volumeSizeBytes(chain)
  const objects = chain.flatMap(({ location: where, metadata }) =>
    metadata.objects.map((object) => ({ ...object, location: where })),
  )
  const parts = resolveMap(objects, sizeBytes)
  const [gap] = findGaps(parts, sizeBytes)
  if (gap !== undefined || sizeBytes === 0) {
    const where = gap === undefined ? 'it has none' : `bytes ${gap[0]} to ${gap[1]} are in no object`
    throw new DriverError('corrupt', `Expected backup ${location.backupId} to hold a whole volume, ${where}`)
  }
  return { chain, sizeBytes, parts, sha256: await openSha256File(store, location, sizeBytes) }
}

/** Nothing says it but the full backup's objects: Cinder refuses an incremental backup of a volume that grew. */
function volumeSizeBytes([full]: readonly CinderBackup[]): number {
  return (full?.metadata.objects ?? []).reduce((end, { offset, length }) => Math.max(end, offset + length), 0)
}
