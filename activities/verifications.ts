import { verifyCinderBackup } from '../backup-format/cinder/verify.ts'
import { verifyBackup } from '../backup-format/verify.ts'
import type { VerifyFindings, VerifyRequest } from '../backup-format/verify-request.ts'
import type { BlockReader, DeviceSpec } from '../block-io/device.ts'
import { backupDomain } from '../domain/backup-domain.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { VerifyLevel } from '../domain/verification.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { withBackupReader } from './copy-source.ts'
import { isCinder, requireLocation, withCinderStore } from './cinder-store.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { importBackups } from './import-backups.ts'
import { importFromPool } from './import-pooled.ts'
import { isPooled } from './pooled-backups.ts'
import { withRepository } from './repository.ts'
import { verifyInPool } from './verify-pooled.ts'
import { withDevice } from './with-device.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

export function createVerificationActivities(deps: ActivityDependencies) {
  return {
    verifyBackup: (input: Input<'verify-backup'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) => {
        const level = input.level === 'restore' ? 'content' : input.level
        const { healFrom, projectId } = input
        if (healFrom === null) return verify(deps, input, attempt, { level })
        return withBackupReader(deps, { ...healFrom, projectId }, (copy) =>
          verify(deps, input, attempt, { level, copy }),
        )
      }),

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
      attempted(deps.database, input.operationId, (attempt) => {
        if (isPooled(deps, input)) return importFromPool(deps, input, attempt)
        return withRepository(deps, input.target, (repository) =>
          importBackups(deps.database, repository, { target: input.target, attempt }),
        )
      }),
  }
}

async function verify(
  deps: ActivityDependencies,
  input: Input<'verify-backup'>,
  attempt: RunningAttempt,
  how: { readonly level: VerifyLevel; readonly volume?: DeviceSpec; readonly copy?: BlockReader },
): Promise<OperationResult> {
  const before = attempt.movedBytesBefore
  const phase = how.volume === undefined ? 'verifying' : 'comparing'
  const request: VerifyRequest = {
    ...how,
    samplePercent: input.samplePercent,
    seed: input.operationId,
    resumeFromBytes: attempt.resumeFromBytes,
    signal: attempt.signal,
    pace: (bytes) => attempt.pace(bytes),
    onProgress: (progress) =>
      attempt.progress({ ...progress, phase, movedBytes: before + progress.movedBytes }),
    onCheckpoint: (bytes) => attempt.checkpoint(bytes),
  }
  const findings = await verifierOf(deps, input)(deps, input, request)
  return { path: input.level, ...describe(findings) }
}

function verifierOf(deps: ActivityDependencies, input: Input<'verify-backup'>) {
  if (isPooled(deps, input)) return verifyInPool
  return isCinder(deps, input) ? verifyInCinder : verifyInRepository
}

function verifyInRepository(
  deps: ActivityDependencies,
  { target, projectId, backupId }: Input<'verify-backup'>,
  request: VerifyRequest,
): Promise<VerifyFindings> {
  const targetSpec = place(deps.targets, 'target', target)
  const { targetFactoryUrl } = deps
  const threads = { count: LIMITS.backupThreads, targetFactoryUrl, targetSpec }
  return withRepository(deps, target, (repository) =>
    verifyBackup(repository, { ...request, domain: backupDomain(projectId), backupId, threads }),
  )
}

function verifyInCinder(
  deps: ActivityDependencies,
  { target, backupId }: Input<'verify-backup'>,
  request: VerifyRequest,
): Promise<VerifyFindings> {
  return withCinderStore(deps, target, async (store, threads) => {
    const location = await requireLocation(deps, store, backupId)
    return verifyCinderBackup(store, { ...request, location, threads })
  })
}

function describe(findings: VerifyFindings): OperationResult {
  return { ...findings, damagedObjects: findings.damagedChunks + findings.damagedPages }
}
