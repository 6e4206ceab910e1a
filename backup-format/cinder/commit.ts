import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { parseMetadata } from './metadata.ts'
import { type BackupLocation, metadataKey, sha256Key, stagedKey } from '../../domain/cinder-names.ts'
import { readObject } from './read-object.ts'
import type { CinderStore } from './store.ts'

/**
 * Makes an uploaded backup exist: checks that the store has exactly what the backup says, which is what Cinder asks of it, and
 * gives the metadata their name. Committed already: fine.
 */
export async function commitCinderBackup(
  store: CinderStore,
  location: BackupLocation,
  signal?: AbortSignal,
): Promise<{ objectCount: number; storedBytes: number }> {
  const options = { maxBytes: LIMITS.cinderMetadataMaxBytes, ...(signal && { signal }) }
  const staged = await readObject(store, stagedKey(location), options)
  const bytes = staged ?? (await readObject(store, metadataKey(location), options))
  if (bytes === undefined)
    throw new DriverError('notFound', `Expected an uploaded backup ${location.backupId}, there is none`)
  const { objects } = parseMetadata(location, bytes)
  const storedBytes = await checkPresence(
    store,
    location,
    objects.map(({ name }) => name),
  )
  if (staged !== undefined) {
    await store.put(metadataKey(location), staged, { ...(signal && { signal }) })
    await store.delete(stagedKey(location))
  }
  return { objectCount: objects.length, storedBytes }
}

async function checkPresence(
  store: CinderStore,
  location: BackupLocation,
  names: readonly string[],
): Promise<number> {
  const missing = new Set([...names.map((name) => `${location.folder}${name}`), sha256Key(location)])
  let storedBytes = 0
  for await (const { key, sizeBytes } of store.list(`${location.folder}${location.prefix}`)) {
    if (key === metadataKey(location)) continue
    if (!missing.delete(key)) throw wrong(location, `there is ${key} besides`)
    storedBytes += sizeBytes
  }
  const [first] = missing
  if (first !== undefined) throw wrong(location, `${first} is missing`)
  return storedBytes
}

function wrong({ backupId }: BackupLocation, found: string): DriverError {
  return new DriverError(
    'corrupt',
    `Expected the objects of backup ${backupId} as they were stored, but ${found}`,
  )
}
