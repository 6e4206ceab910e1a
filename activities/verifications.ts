import { BackupReader, layoutOf } from '../backup-format/backup-reader.ts'
import { type VerifyFindings, verifyBackup } from '../backup-format/verify.ts'
import type { BlockReader, DeviceSpec } from '../block-io/device.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { VerifyLevel } from '../domain/verification.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { importBackups } from './import-backups.ts'
import { withRepository } from './repository.ts'
import { withDevice } from './with-device.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

export function createVerificationActivities(deps: ActivityDependencies) {
  return {
    verifyBackup: (input: Input<'verify-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) =>
        withCopy(deps, input, (copy) =>
          verify(deps, input, attempt, {
            level: input.level === 'restore' ? 'content' : input.level,
            ...(copy === undefined ? {} : { copy }),
          }),
        ),
      ),

    /** The volume to which the backup was restored, with the backup. */
    compareBackup: (input: Input<'verify-backup'> & { backend: string }): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const driver = place(deps.backends, 'backend', input.backend)
        const volume = await driver.openVolume({ volumeId: input.volumeId, access: 'read' })
        return withDevice(deps, volume, { signal: attempt.signal }, (spec) =>
          verify(deps, input, attempt, { level: 'restore', volume: spec }),
        )
      }),

    importTarget: (input: Input<'import-target'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) =>
        withRepository(deps, input.target, (repository) =>
          importBackups(deps.database, repository, { target: input.target, attempt }),
        ),
      ),
  }
}

/** A checkpoint is the end of an index page. */
async function verify(
  deps: ActivityDependencies,
  input: Input<'verify-backup'>,
  attempt: RunningAttempt,
  how: { readonly level: VerifyLevel; readonly volume?: DeviceSpec; readonly copy?: BlockReader },
): Promise<OperationResult> {
  const targetSpec = place(deps.targets, 'target', input.target)
  const { targetFactoryUrl } = deps
  const before = attempt.movedBytesBefore
  const phase = how.volume === undefined ? 'verifying' : 'comparing'
  return withRepository(deps, input.target, async (repository) => {
    const pageBytes = repository.chunkBytes * repository.pageEntries
    const findings = await verifyBackup(repository, {
      domain: backupDomain(input.projectId),
      backupId: input.backupId,
      ...how,
      samplePercent: input.samplePercent,
      seed: input.operationId,
      // What differs from a volume leaves no marker: then all of it is looked at again.
      resumeFromPage: how.volume === undefined ? Math.floor(attempt.resumeFromBytes / pageBytes) : 0,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      threads: { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec },
      onProgress: (progress) =>
        attempt.progress({ ...progress, phase, movedBytes: before + progress.movedBytes }),
      onPage: (page) => attempt.checkpoint(page * pageBytes),
    })
    return { path: input.level, ...describe(findings) }
  })
}

/** Opens the backup from which damage is healed, where there is one. */
function withCopy<T>(
  deps: ActivityDependencies,
  { healFrom, projectId }: Input<'verify-backup'>,
  work: (copy: BlockReader | undefined) => Promise<T>,
): Promise<T> {
  if (healFrom === null) return work(undefined)
  return withRepository(deps, healFrom.target, async (repository) => {
    const key = { domain: backupDomain(projectId), backupId: healFrom.backupId }
    return work(new BackupReader(repository.target, await layoutOf(repository, key)))
  })
}

function describe({
  checkedChunks,
  damagedChunks,
  damagedPages,
  healedChunks,
}: VerifyFindings): OperationResult {
  return {
    checkedChunks,
    damagedChunks,
    damagedPages,
    damagedObjects: damagedChunks + damagedPages,
    healedChunks,
  }
}
