import pMap from 'p-map'
import { LIMITS } from '../../domain/limits.ts'
import { type BackupLocation, metadataKey, stagedKey } from '../../domain/cinder-names.ts'
import type { CinderStore } from './store.ts'

/**
 * Removes a backup, finished or not; what is gone is fine. The metadata go first: from then on there is no such backup, wherever a
 * crash interrupts the rest. Whoever builds on it was given its content before (merge-forward.ts).
 */
export async function removeCinderBackup(store: CinderStore, location: BackupLocation): Promise<void> {
  await store.delete(metadataKey(location))
  await store.delete(stagedKey(location))
  const keys: string[] = []
  for await (const { key } of store.list(`${location.folder}${location.prefix}`)) keys.push(key)
  await pMap(keys, (key) => store.delete(key), { concurrency: LIMITS.targetRequests })
}
