/** Finding and reading the backups of a store, with nothing but the store. */
import pMap from 'p-map'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { type CinderMetadata, parseMetadata } from './metadata.ts'
import { type BackupLocation, locationOf, metadataKey } from '../../domain/cinder-names.ts'
import { readObject } from './read-object.ts'
import type { CinderStore } from './store.ts'

export interface CinderBackup {
  readonly location: BackupLocation
  readonly metadata: CinderMetadata
}

/** Every backup in the store, in any order: where its metadata is. */
export async function* listLocations(store: CinderStore, prefix = ''): AsyncGenerator<BackupLocation> {
  for await (const { key } of store.list(prefix)) {
    const location = locationOf(store.kind, key)
    if (location !== undefined) yield location
  }
}

/** Throws DriverError `notFound`, or `corrupt` for metadata that are not as Cinder writes them. */
export async function readBackup(
  store: CinderStore,
  location: BackupLocation,
  signal?: AbortSignal,
): Promise<CinderBackup> {
  const bytes = await readObject(store, metadataKey(location), {
    maxBytes: LIMITS.cinderMetadataMaxBytes,
    ...(signal && { signal }),
  })
  if (bytes !== undefined) return { location, metadata: parseMetadata(location, bytes) }
  throw new DriverError(
    'notFound',
    `Expected backup ${location.backupId}, its metadata ${metadataKey(location)} are gone`,
  )
}

/** The backup and all that it builds on, the full one first. Throws DriverError `corrupt` that names the missing link. */
export async function readChain(
  store: CinderStore,
  location: BackupLocation,
  signal?: AbortSignal,
): Promise<CinderBackup[]> {
  const chain = [await readBackup(store, location, signal)]
  let others = await locationsNear(store, location)
  for (;;) {
    const [oldest] = chain
    const parentId = oldest?.metadata.parentId ?? null
    if (oldest === undefined || parentId === null) return chain
    const id = oldest.metadata.backupId
    if (chain.some(({ metadata }) => metadata.backupId === parentId) || chain.length >= LIMITS.cinderChainMax)
      throw new DriverError('corrupt', `Expected backup ${id} to build on a full one, its chain has no end`)
    if (!others.has(parentId)) others = await searchEverywhere(store, location)
    const parent = others.get(parentId)
    if (parent === undefined)
      throw new DriverError('corrupt', `Expected the parent ${parentId} of backup ${id}, it is not there`)
    chain.unshift(await readBackup(store, parent, signal))
  }
}

/** The backups that build on this one directly. */
export async function readChildren(
  store: CinderStore,
  location: BackupLocation,
  signal?: AbortSignal,
): Promise<CinderBackup[]> {
  const others = [...(await searchEverywhere(store, location)).values()]
  const read = (other: BackupLocation) => readBackup(store, other, signal)
  const backups = await pMap(others, read, { concurrency: LIMITS.targetRequests })
  return backups.filter(({ metadata }) => metadata.parentId === location.backupId)
}

/** Of all its objects. */
export async function readStoredBytes(
  store: CinderStore,
  { folder, prefix }: BackupLocation,
): Promise<number> {
  let storedBytes = 0
  for await (const { sizeBytes } of store.list(`${folder}${prefix}`)) storedBytes += sizeBytes
  return storedBytes
}

/** By id, of the same volume: in a bucket all of them; in folders those in the same one, which is cheap. */
async function locationsNear(store: CinderStore, of: BackupLocation): Promise<Map<string, BackupLocation>> {
  return sameVolume(store, of, store.kind === 's3' ? `volume_${of.volumeId}/` : of.folder)
}

/** Each backup may have a folder of its own. */
async function searchEverywhere(
  store: CinderStore,
  of: BackupLocation,
): Promise<Map<string, BackupLocation>> {
  return sameVolume(store, of, store.kind === 's3' ? `volume_${of.volumeId}/` : '')
}

async function sameVolume(
  store: CinderStore,
  { volumeId }: BackupLocation,
  prefix: string,
): Promise<Map<string, BackupLocation>> {
  const found = new Map<string, BackupLocation>()
  for await (const location of listLocations(store, prefix))
    if (location.volumeId === volumeId) found.set(location.backupId, location)
  return found
}
