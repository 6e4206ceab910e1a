import { type BackupLayout, layoutOf } from '../backup-format/backup-reader.ts'
import { changedChunks } from '../backup-format/changed-chunks.ts'
import { uploadBackup } from '../backup-format/upload.ts'
import type { ByteRange } from '../block-io/device.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { describeVolume } from './described-volume.ts'
import { withRepository } from './repository.ts'

type Input = OperationSpecs['copy-backup'] & { operationId: string }

export function createBackupCopyActivities(deps: ActivityDependencies) {
  return {
    copyBackup: (input: Input): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const { layout, changedRanges } = await readSource(deps, input)
        return copy(deps, input, { layout, changedRanges, attempt })
      }),
  }
}

interface Source {
  readonly layout: BackupLayout
  readonly changedRanges: readonly ByteRange[] | 'unknown'
}

function readSource(deps: ActivityDependencies, input: Input): Promise<Source> {
  const domain = backupDomain(input.projectId)
  return withRepository(deps, input.sourceTarget, async (repository) => {
    const layout = await layoutOf(repository, { domain, backupId: input.sourceBackupId })
    const { parentSourceId: parentId } = input
    if (parentId === null) return { layout, changedRanges: 'unknown' }
    try {
      const before = await layoutOf(repository, { domain, backupId: parentId })
      return { layout, changedRanges: await changedChunks(repository.target, before, layout) }
    } catch (error) {
      // Deleted or damaged meanwhile: everything is read, and what the copy's parent has is not stored again.
      if (error instanceof DriverError && error.kind !== 'transient')
        return { layout, changedRanges: 'unknown' }
      throw error
    }
  })
}

async function copy(
  deps: ActivityDependencies,
  input: Input,
  { layout, changedRanges, attempt }: Source & { readonly attempt: RunningAttempt },
): Promise<OperationResult> {
  const { targetFactoryUrl } = deps
  const threadTarget = (name: string) => ({
    targetFactoryUrl,
    targetSpec: place(deps.targets, 'target', name),
  })
  return withRepository(deps, input.target, async (repository) => {
    const { totals } = await uploadBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      ...(input.parentBackupId !== null && { parentBackupId: input.parentBackupId }),
      sizeBytes: input.sizeBytes,
      volume: await describeVolume(deps.database, input),
      writerToken: attempt.token,
      source: { kind: 'backup', from: threadTarget(input.sourceTarget), layout },
      changedRanges,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      threads: { count: LIMITS.backupThreads, ...threadTarget(input.target) },
      onProgress: ({ doneBytes, totalBytes, objectBytes }) =>
        attempt.progress({ phase: 'copying', doneBytes, totalBytes, movedBytes: objectBytes }),
    })
    const path = input.parentBackupId === null ? 'full' : 'incremental'
    const scan = changedRanges === 'unknown' ? 'full' : 'changed'
    return { path, scan, movedBytes: totals.newObjectBytes, newChunks: totals.newChunks }
  })
}
