import { uploadBackup } from '../backup-format/upload.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type CopySource, readCopySource } from './copy-source.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { describeVolume } from './described-volume.ts'
import { withRepository } from './repository.ts'

type Input = OperationSpecs['copy-backup'] & { operationId: string }

export function createBackupCopyActivities(deps: ActivityDependencies) {
  return {
    copyBackup: (input: Input): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) =>
        copy(deps, input, await readCopySource(deps, input, attempt.signal), attempt),
      ),
  }
}

async function copy(
  deps: ActivityDependencies,
  input: Input,
  { source, changedRanges, threads: count }: CopySource,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const { targetFactoryUrl } = deps
  const targetSpec = place(deps.targets, 'target', input.target)
  return withRepository(deps, input.target, async (repository) => {
    const { totals } = await uploadBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      ...(input.parentBackupId !== null && { parentBackupId: input.parentBackupId }),
      sizeBytes: input.sizeBytes,
      volume: await describeVolume(deps.database, input),
      writerToken: attempt.token,
      source,
      changedRanges,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      threads: { count, targetFactoryUrl, targetSpec },
      onProgress: ({ doneBytes, totalBytes, objectBytes }) =>
        attempt.progress({ phase: 'copying', doneBytes, totalBytes, movedBytes: objectBytes }),
      // Where to go on is in the target's journal; that there is more of it is what tells a long copy from a poisonous one.
      onCheckpoint: () => attempt.checkpoint(0),
    })
    const path = input.parentBackupId === null ? 'full' : 'incremental'
    const scan = changedRanges === 'unknown' ? 'full' : 'changed'
    return { path, scan, movedBytes: totals.newObjectBytes, newChunks: totals.newChunks }
  })
}
