import type { DeviceSpec } from '../block-io/device.ts'
import { commitBackup } from '../backup-format/commit.ts'
import { deleteBackup } from '../backup-format/delete.ts'
import { restoreBackup } from '../backup-format/restore.ts'
import { uploadBackup } from '../backup-format/upload.ts'
import type { ChangedRanges } from '../drivers/volumes/driver.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { collectOrPlan } from './collection.ts'
import { isCinder } from './cinder-store.ts'
import { commitToCinder, downloadFromCinder, uploadToCinder } from './cinder-volumes.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { describeVolume } from './described-volume.ts'
import { commitToPool, downloadFromPool, isPooled, poolOf, uploadToPool } from './pooled-backups.ts'
import { withRepository } from './repository.ts'
import type { ContentPath } from './volumes.ts'
import { withDevice } from './with-device.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }
type CommitInput = Pick<Input<'create-backup'>, 'operationId' | 'backupId' | 'target' | 'projectId'>

export function createBackupActivities(deps: ActivityDependencies) {
  return {
    uploadBackup: (input: Input<'create-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        if (isPooled(deps, input)) return uploadToPool(deps, input, attempt)
        const snapshot = await place(deps.backends, 'backend', input.backend).openSnapshot(input)
        return withDevice(deps, snapshot, { signal: attempt.signal }, (source) =>
          (isCinder(deps, input) ? uploadToCinder : upload)(deps, input, source, attempt),
        )
      }),

    commitBackup: (input: CommitInput): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) => {
        if (isPooled(deps, input)) return commitToPool(deps, input)
        if (isCinder(deps, input)) return commitToCinder(deps, input, attempt.signal)
        return withRepository(deps, input.target, async (repository) => {
          const key = {
            domain: backupDomain(input.projectId),
            backupId: input.backupId,
            signal: attempt.signal,
          }
          const { totals } = await commitBackup(repository, key)
          return { objectCount: totals.newChunks, storedBytes: totals.newObjectBytes }
        })
      }),

    downloadBackup: (input: Input<'restore-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        if (isPooled(deps, input)) return downloadFromPool(deps, input, input.volumeId, attempt)
        const driver = place(deps.backends, 'backend', input.backend)
        const volume = await driver.openVolume({ volumeId: input.volumeId, access: 'write' })
        // The volume was made for this operation: what was not written yet reads as zeroes.
        return withDevice(deps, volume, { signal: attempt.signal, writable: true }, (destination) =>
          download(deps, input, { destination, freshTarget: true }, attempt),
        )
      }),

    /**
     * Into the content that shall replace a volume's. Of a clone only what differs from the backup is fetched and written; of a clone of the
     * backup's own snapshot nothing does.
     */
    downloadChanges: (
      input: Input<'restore-backup-into-volume'> & { path: ContentPath },
    ): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        if (input.path === 'snapshot') return { path: 'snapshot', movedBytes: 0 }
        if (isPooled(deps, input)) return downloadFromPool(deps, input, input.contentId, attempt)
        const driver = place(deps.backends, 'backend', input.backend)
        const content = await driver.openVolume({ volumeId: input.contentId, access: 'write' })
        return withDevice(deps, content, { signal: attempt.signal, writable: true }, (destination) =>
          download(deps, input, { destination, freshTarget: input.path === 'blank' }, attempt),
        )
      }),

    removeBackup: (input: Input<'delete-backup'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => {
        if (isPooled(deps, input)) return poolOf(deps, input).deleteBackup(input)
        return withRepository(deps, input.target, (repository) =>
          deleteBackup(repository, { domain: backupDomain(input.projectId), backupId: input.backupId }),
        )
      }),

    collect: (input: Input<'collect-target'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) =>
        withRepository(deps, input.target, (repository) => collectOrPlan(deps, input, repository, attempt)),
      ),
  }
}

async function upload(
  deps: ActivityDependencies,
  input: Input<'create-backup'>,
  source: DeviceSpec,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const targetSpec = place(deps.targets, 'target', input.target)
  const { targetFactoryUrl } = deps
  const changed = await changedSinceParent(deps, input, attempt.signal)
  return withRepository(deps, input.target, async (repository) => {
    const { totals, healedObjects } = await uploadBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      ...(input.parentBackupId !== null && { parentBackupId: input.parentBackupId }),
      sizeBytes: input.sizeBytes,
      volume: await describeVolume(deps.database, input),
      writerToken: attempt.token,
      source,
      changedRanges: 'ranges' in changed ? changed.ranges : 'unknown',
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      ...(targetSpec.compressionLevel !== undefined && { compressionLevel: targetSpec.compressionLevel }),
      threads: { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec },
      onProgress: ({ doneBytes, totalBytes, objectBytes }) =>
        attempt.progress({ phase: 'uploading', doneBytes, totalBytes, movedBytes: objectBytes }),
      // Where to go on is in the target's journal; that there is more of it is what tells a long backup from a poisonous one.
      onCheckpoint: () => attempt.checkpoint(0),
    })
    const path = input.parentBackupId === null ? 'full' : 'incremental'
    const { newObjectBytes: movedBytes, dataChunks: chunks, newChunks } = totals
    const healed = healedObjects === 0 ? {} : { healedObjects }
    return { path, movedBytes, chunks, newChunks, ...healed, ...describeChanges(input, changed) }
  })
}

async function changedSinceParent(
  deps: ActivityDependencies,
  { backend, volumeId, parentSnapshotId, snapshotId }: Input<'create-backup'>,
  signal: AbortSignal,
): Promise<ChangedRanges> {
  if (parentSnapshotId == null) return { unknown: 'the snapshot of the parent backup is gone' }
  const request = { volumeId, fromSnapshotId: parentSnapshotId, toSnapshotId: snapshotId, signal }
  try {
    return await place(deps.backends, 'backend', backend).changedRanges(request)
  } catch (error) {
    signal.throwIfAborted()
    // Whatever goes wrong with the list, reading everything is right.
    if (error instanceof DriverError) return { unknown: error.message }
    throw error
  }
}

/** Why an incremental backup took as long as it took. */
function describeChanges(
  { parentBackupId }: Input<'create-backup'>,
  changed: ChangedRanges,
): OperationResult {
  if (parentBackupId === null) return {}
  return 'unknown' in changed ? { scan: 'full', scanReason: changed.unknown } : { scan: 'changed' }
}

async function download(
  deps: ActivityDependencies,
  input: { target: string; projectId: string; backupId: string },
  into: { destination: DeviceSpec; freshTarget: boolean },
  attempt: RunningAttempt,
): Promise<OperationResult> {
  if (isCinder(deps, input)) return downloadFromCinder(deps, input, into, attempt)
  const targetSpec = place(deps.targets, 'target', input.target)
  const { targetFactoryUrl } = deps
  const phase = into.freshTarget ? 'downloading' : 'comparing'
  const before = attempt.movedBytesBefore
  return withRepository(deps, input.target, async (repository) => {
    const { movedBytes } = await restoreBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      ...into,
      resumeFromChunk: attempt.resumeFromBytes / repository.chunkBytes,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      threads: { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec },
      onProgress: (progress) =>
        attempt.progress({ ...progress, phase, movedBytes: before + progress.movedBytes }),
      onCheckpoint: ({ chunk }) => attempt.checkpoint(chunk * repository.chunkBytes),
    })
    return { path: into.freshTarget ? 'download' : 'changes', movedBytes: before + movedBytes }
  })
}
