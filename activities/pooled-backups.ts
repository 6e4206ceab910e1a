/** Backups that are snapshots in a pool of the volumes' cluster, where the operations are the same as for our own. */
import { readBackupRow } from '../database/cinder-backups.ts'
import { DriverError } from '../domain/errors.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { BackupPool, BackupRef } from '../drivers/backups/pool.ts'
import type { RunningAttempt } from './attempt.ts'
import { copyInto, using } from './copy-bytes.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

export interface PooledKey {
  readonly backupId: string
  readonly target: string
}

export function isPooled(deps: ActivityDependencies, { target }: { target: string }): boolean {
  return deps.rbdTargets.has(target)
}

export function poolOf(deps: ActivityDependencies, { target }: { target: string }): BackupPool {
  return place(deps.rbdTargets, 'target', target)
}

/** Of which volume it is a backup says its row. */
export async function refOf(
  deps: ActivityDependencies,
  { backupId }: { backupId: string },
): Promise<BackupRef> {
  const row = await readBackupRow(deps.database, backupId)
  return { backupId, ...(row && { volumeId: row.volumeId }) }
}

export async function uploadToPool(
  deps: ActivityDependencies,
  input: OperationSpecs['create-backup'],
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const { backupId, volumeId, snapshotId, sizeBytes: totalBytes, parentBackupId } = input
  const driver = place(deps.backends, 'backend', input.backend)
  if (driver.exportDiff === undefined)
    throw new DriverError(
      'unsupported',
      `Expected a backend beside target ${input.target}, got ${input.backend}`,
    )
  const fromSnapshotId = parentBackupId === null ? null : (input.parentSnapshotId ?? null)
  const source = await driver.exportDiff({ volumeId, snapshotId, fromSnapshotId })
  const before = attempt.movedBytesBefore
  const { movedBytes } = await poolOf(deps, input).writeBackup({
    ...{ backupId, volumeId, source },
    parentBackupId: fromSnapshotId === null ? null : parentBackupId,
    signal: attempt.signal,
    pace: (bytes) => attempt.pace(bytes),
    onProgress: (progress) =>
      attempt.progress({ ...progress, totalBytes, movedBytes: before + progress.movedBytes }),
  })
  const moved = before + movedBytes
  // Found complete: an earlier attempt did it, and did not come to say so.
  const storedBytes = movedBytes === 0 ? before : movedBytes
  if (parentBackupId === null) return { path: 'full', movedBytes: moved, storedBytes }
  const unknown = fromSnapshotId === null ? 'the snapshot of the parent backup is gone' : source.unknown
  const scan = unknown === undefined ? { scan: 'changed' } : { scan: 'full', scanReason: unknown }
  return { path: 'incremental', movedBytes: moved, storedBytes, ...scan }
}

/** It is there when its snapshot is. */
export async function commitToPool(deps: ActivityDependencies, key: PooledKey): Promise<OperationResult> {
  const ref = await refOf(deps, key)
  if ((await poolOf(deps, key).findBackup(ref)) !== undefined) return {}
  throw new DriverError(
    'notFound',
    `Expected backup ${key.backupId} in target ${key.target}, it is not there`,
  )
}

/**
 * To a new volume. In the same cluster the cluster's own way is the fastest, and can neither be held up nor
 * go on where it was killed. So under a rate limit, elsewhere, and once an attempt has come to nothing, the bytes pass through us.
 */
export async function downloadFromPool(
  deps: ActivityDependencies,
  input: PooledKey & { readonly backend: string; readonly sizeBytes: number },
  volumeId: string,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const driver = place(deps.backends, 'backend', input.backend)
  const pool = poolOf(deps, input)
  const ref = await refOf(deps, input)
  const { sizeBytes } = input
  if (driver.copyImage !== undefined && !attempt.isLimited && attempt.movedBytesBefore === 0) {
    const copied = await driver.copyImage({
      ...{ source: await pool.copySource(ref), newVolumeId: volumeId, sizeBytes, signal: attempt.signal },
      onProgress: (doneBytes) =>
        attempt.progress({ phase: 'copying', doneBytes, totalBytes: sizeBytes, movedBytes: doneBytes }),
    })
    if (copied) return { path: 'cluster-copy', movedBytes: sizeBytes }
  }
  if (attempt.resumeFromBytes === 0) {
    // An earlier attempt may have left a part of it that cannot be told from the whole.
    await driver.deleteVolume({ volumeId })
    await driver.createVolume({ volumeId, sizeBytes })
  }
  const source = await pool.openBackup(ref)
  return using(source, () => copyInto(deps, { backend: input.backend, volumeId }, source, 'copy', attempt))
}
