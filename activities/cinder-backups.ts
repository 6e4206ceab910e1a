import pMap from 'p-map'
import { listLocations, readBackup, readStoredBytes } from '../backup-format/cinder/backup.ts'
import { mergeForward } from '../backup-format/cinder/merge-forward.ts'
import { openCinderBackup } from '../backup-format/cinder/open-backup.ts'
import { removeCinderBackup } from '../backup-format/cinder/remove.ts'
import type { CinderStore } from '../backup-format/cinder/store.ts'
import { readChildRows, recordFound, recordMerged } from '../database/cinder-backups.ts'
import { type BackupLocation, locate } from '../domain/cinder-names.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted } from './attempt.ts'
import { keepIfThere } from './keep-if-there.ts'
import { containerOf, requireLocation, withCinderStore } from './cinder-store.ts'
import type { ActivityDependencies } from './dependencies.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

export function createCinderActivities(deps: ActivityDependencies) {
  return {
    scanTarget: (input: Input<'scan-target'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, ({ signal }) =>
        withCinderStore(deps, input.target, (store) => scan(deps, store, input, signal)),
      ),

    mergeForward: (input: Input<'unlink-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) =>
        withCinderStore(deps, input.target, async (store) => {
          await mergeForward(store, {
            location: await requireLocation(deps, store, input.backupId),
            signal: attempt.signal,
            pace: (bytes) => attempt.pace(bytes),
            onProgress: (progress) => attempt.progress({ ...progress, phase: 'merging' }),
          })
          return { path: 'merge-forward', dependents: await recordChildren(deps, store, input) }
        }),
      ),

    removeUnlinked: (input: Input<'unlink-backup'>): Promise<void> =>
      attempted(deps.database, input.operationId, () =>
        withCinderStore(deps, input.target, async (store) =>
          removeCinderBackup(store, await requireLocation(deps, store, input.backupId)),
        ),
      ),
  }
}

/** The rows of all that built on it, also those that an earlier attempt merged, say what the store says now. */
async function recordChildren(
  deps: ActivityDependencies,
  store: CinderStore,
  { backupId, target }: Input<'unlink-backup'>,
): Promise<number> {
  const children = await readChildRows(deps.database, { backupId, target })
  for (const { id } of children) {
    const { location, metadata } = await readBackup(store, await requireLocation(deps, store, id))
    const { parentId, objects } = metadata
    const storedBytes = await readStoredBytes(store, location)
    await recordMerged(deps.database, { backupId: id, parentId, objectCount: objects.length, storedBytes })
  }
  return children.length
}

/** What cannot be read is counted and left out: one damaged backup must not hide the others. */
async function scan(
  deps: ActivityDependencies,
  store: CinderStore,
  { target, projectId, userId, only }: Input<'scan-target'>,
  signal: AbortSignal,
): Promise<OperationResult> {
  const chosen = only === null ? undefined : locate(store.kind, only)
  const locations = chosen === undefined ? await Array.fromAsync(listLocations(store)) : [chosen]
  let added = 0
  let damaged = 0
  const record = async (location: BackupLocation) => {
    const found = await describe(deps, store, target, location, signal).catch((error: unknown) => {
      if (error instanceof DriverError && chosen === undefined) {
        if (error.kind === 'corrupt') return 'damaged'
        // It, or what it builds on, was deleted after the list was made.
        if (error.kind === 'notFound') return 'gone'
      }
      throw error
    })
    if (found === 'gone') return
    if (found === 'damaged') damaged += 1
    else if (await recordFound(deps.database, found, { projectId, userId, target })) {
      const isThere = () => readBackup(store, location, signal)
      if (await keepIfThere(deps.database, found.id, isThere)) added += 1
    }
  }
  await pMap(locations, record, { concurrency: LIMITS.cinderScans, signal })
  return { path: 'scan', found: locations.length, added, damaged }
}

async function describe(
  deps: ActivityDependencies,
  store: CinderStore,
  target: string,
  location: BackupLocation,
  signal: AbortSignal,
) {
  const { metadata } = await readBackup(store, location, signal)
  const { sizeBytes } = await openCinderBackup(store, location, signal)
  const storedBytes = await readStoredBytes(store, location)
  const { backupId: id, volumeId, parentId, createdAt, objects } = metadata
  const name = asText(metadata.name, LIMITS.nameLengthMax)
  const description = asText(metadata.description, LIMITS.descriptionLengthMax)
  return {
    ...{ id, volumeId, name, description, parentId, createdAt, sizeBytes, storedBytes },
    objectCount: objects.length,
    container: containerOf(deps, target, location),
    serviceMetadata: location.prefix,
  }
}

/** As we would take it from a user: nothing that acts on terminals, nothing that SQL cannot keep. */
function asText(text: string | null, lengthMax: number): string | null {
  if (text === null || text === '') return null
  return text
    .toWellFormed()
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(0, lengthMax)
    .toWellFormed()
}
