import type { CinderStore, ThreadStore } from '../backup-format/cinder/store.ts'
import { readBackupRow, recordLocation } from '../database/cinder-backups.ts'
import { locationOf } from '../database/requests/cinder-backups.ts'
import { type BackupLocation, newLocation } from '../domain/cinder-names.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

/** Whether a target has Cinder's format. */
export function isCinder(deps: ActivityDependencies, { target }: { target: string }): boolean {
  return deps.cinderTargets.has(target)
}

/** Opens a target in Cinder's format, runs the work, and closes it. */
export async function withCinderStore<T>(
  deps: ActivityDependencies,
  targetName: string,
  work: (store: CinderStore, threads: ThreadStore & { count: number }) => Promise<T>,
): Promise<T> {
  const { spec } = place(deps.cinderTargets, 'target', targetName)
  const { openCinderStore, storeFactoryUrl } = deps.cinderStores
  const store = openCinderStore(spec)
  try {
    return await work(store, { storeFactoryUrl, storeSpec: spec, count: LIMITS.backupThreads })
  } finally {
    await store.close()
  }
}

/** Where the backup's row says that it is. Throws DriverError `notFound`. */
export async function requireLocation(
  deps: ActivityDependencies,
  store: CinderStore,
  backupId: string,
): Promise<BackupLocation> {
  const row = await readBackupRow(deps.database, backupId)
  const location = row === undefined ? undefined : locationOf(store.kind, row)
  if (location !== undefined) return location
  throw new DriverError('notFound', `Expected backup ${backupId} to have a place in its target, it has none`)
}

/** The same in each attempt: it comes from the row. Undefined: the row is gone. */
export async function chooseLocation(
  deps: ActivityDependencies,
  store: CinderStore,
  of: { readonly backupId: string; readonly target: string },
): Promise<BackupLocation | undefined> {
  const { backupId } = of
  const row = await readBackupRow(deps.database, backupId)
  if (row === undefined) return undefined
  const known = locationOf(store.kind, row)
  if (known !== undefined) return known
  const { volumeId, createdAt } = row
  const location = newLocation(store.kind, { volumeId, backupId, createdAt })
  await recordLocation(deps.database, backupId, {
    container: containerOf(deps, of.target, location),
    serviceMetadata: location.prefix,
  })
  return location
}

/** In Cinder's words. */
export function containerOf(deps: ActivityDependencies, target: string, { folder }: BackupLocation): string {
  const { spec } = place(deps.cinderTargets, 'target', target)
  return spec.driver === 's3' ? spec.bucket : folder.replace(/\/$/, '')
}
