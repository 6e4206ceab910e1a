import type { OpenDevice, ReaderSpec } from '../block-io/device.ts'
import { serveDevice } from '../block-io/export.ts'
import { collect } from '../backup-format/collect.ts'
import { commitBackup } from '../backup-format/commit.ts'
import { deleteBackup } from '../backup-format/delete.ts'
import { restoreBackup } from '../backup-format/restore.ts'
import { uploadBackup } from '../backup-format/upload.ts'
import { hasOpenOperation } from '../database/operations/read.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { withRepository } from './repository.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

export function createBackupActivities(deps: ActivityDependencies) {
  return {
    uploadBackup: (input: Input<'create-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const snapshot = await place(deps.backends, 'backend', input.backend).openSnapshot(input)
        return withReader(deps, snapshot, attempt.signal, (source) => upload(deps, input, source, attempt))
      }),

    commitBackup: (input: Input<'create-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) =>
        withRepository(deps, input.target, async (repository) => {
          const key = {
            domain: backupDomain(input.projectId),
            backupId: input.backupId,
            signal: attempt.signal,
          }
          const { totals } = await commitBackup(repository, key)
          return { objectCount: totals.newChunks, storedBytes: totals.newObjectBytes }
        }),
      ),

    downloadBackup: (input: Input<'restore-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const driver = place(deps.backends, 'backend', input.backend)
        const volume = await driver.openVolume({ volumeId: input.volumeId, access: 'write' })
        try {
          return await download(deps, input, volume, attempt)
        } finally {
          await volume.close()
        }
      }),

    removeBackup: (input: Input<'delete-backup'>): Promise<void> =>
      attempted(deps.database, input.operationId, () =>
        withRepository(deps, input.target, (repository) =>
          deleteBackup(repository, { domain: backupDomain(input.projectId), backupId: input.backupId }),
        ),
      ),

    collect: (input: Input<'collect-target'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) =>
        withRepository(deps, input.target, async (repository) => {
          const abortable = async ({ backupId }: { backupId: string }) =>
            !(await hasOpenOperation(deps.database, backupId))
          const { outcome, deletedObjects } = await collect(repository, { abortable, signal: attempt.signal })
          return { outcome, deletedObjects }
        }),
      ),
  }
}

async function upload(
  deps: ActivityDependencies,
  input: Input<'create-backup'>,
  source: ReaderSpec,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const targetSpec = place(deps.targets, 'target', input.target)
  const { targetFactoryUrl } = deps
  return withRepository(deps, input.target, async (repository) => {
    const { totals } = await uploadBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      ...(input.parentBackupId !== null && { parentBackupId: input.parentBackupId }),
      sizeBytes: input.sizeBytes,
      volume: { id: input.volumeId },
      writerToken: attempt.token,
      source,
      changedExtents: 'unknown',
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      threads: { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec },
      onProgress: ({ doneBytes, totalBytes, objectBytes }) =>
        attempt.progress({ phase: 'uploading', doneBytes, totalBytes, movedBytes: objectBytes }),
    })
    const path = input.parentBackupId === null ? 'full' : 'incremental'
    return { path, movedBytes: totals.newObjectBytes, chunks: totals.dataChunks, newChunks: totals.newChunks }
  })
}

async function download(
  deps: ActivityDependencies,
  input: Input<'restore-backup'>,
  volume: OpenDevice,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  if (volume.plainFile === undefined)
    throw new DriverError('unsupported', 'Expected a new volume to be a plain file.')
  const targetSpec = place(deps.targets, 'target', input.target)
  const { targetFactoryUrl } = deps
  const path = volume.plainFile
  const before = attempt.movedBytesBefore
  return withRepository(deps, input.target, async (repository) => {
    const { movedBytes } = await restoreBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      destination: { path, sizeBytes: input.sizeBytes },
      // The volume was made for this operation: what was not written yet reads as zeroes.
      freshTarget: true,
      resumeFromChunk: attempt.resumeFromBytes / repository.chunkBytes,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      threads: { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec },
      onProgress: (progress) =>
        attempt.progress({ ...progress, phase: 'downloading', movedBytes: before + progress.movedBytes }),
      onCheckpoint: ({ chunk }) => attempt.checkpoint(chunk * repository.chunkBytes),
    })
    return { path: 'download', movedBytes: before + movedBytes }
  })
}

/** Worker threads read plain files themselves, and anything else over NBD. */
async function withReader<T>(
  deps: ActivityDependencies,
  device: OpenDevice,
  signal: AbortSignal,
  work: (source: ReaderSpec) => Promise<T>,
): Promise<T> {
  try {
    const { plainFile, sizeBytes } = device
    if (plainFile !== undefined) return await work({ kind: 'file', path: plainFile, sizeBytes })
    const served = await serveDevice(device, { socketDirectory: deps.runFolder, confined: false, signal })
    try {
      return await work(served.reader)
    } finally {
      await served.close()
    }
  } finally {
    await device.close()
  }
}
