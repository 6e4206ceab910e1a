/** Backups in Cinder's format where the operations are the same as for our own: create and restore. */
import { commitCinderBackup } from '../backup-format/cinder/commit.ts'
import { abortMerge } from '../backup-format/cinder/merge-forward.ts'
import { removeCinderBackup } from '../backup-format/cinder/remove.ts'
import { restoreCinderBackup } from '../backup-format/cinder/restore.ts'
import { uploadCinderBackup } from '../backup-format/cinder/upload.ts'
import type { DeviceSpec } from '../block-io/device.ts'
import { readBackupRow, readVolumeMeta } from '../database/cinder-backups.ts'
import { locationOf } from '../database/requests/cinder-backups.ts'
import { DriverError } from '../domain/errors.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { RunningAttempt } from './attempt.ts'
import { chooseLocation, requireLocation, withCinderStore } from './cinder-store.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

export interface CinderBackupKey {
  readonly backupId: string
  readonly target: string
}

export function uploadToCinder(
  deps: ActivityDependencies,
  input: CinderBackupKey & { readonly volumeId: string; readonly sizeBytes: number },
  source: DeviceSpec,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const { compression } = place(deps.cinderTargets, 'target', input.target)
  return withCinderStore(deps, input.target, async (store, threads) => {
    const location = await chooseLocation(deps, store, input)
    const row = await readBackupRow(deps.database, input.backupId)
    if (location === undefined || row === undefined)
      throw new DriverError('notFound', `Expected backup ${input.backupId}, it is gone`)
    const { name, description, createdAt } = row
    const { objectCount, movedBytes } = await uploadCinderBackup(store, {
      ...{ location, name, description, createdAt, source, compression, threads },
      volumeMeta: await readVolumeMeta(deps.database, input.volumeId),
      sizeBytes: input.sizeBytes,
      spoolFolder: deps.runFolder,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      onProgress: (progress) => attempt.progress({ ...progress, phase: 'uploading' }),
    })
    return { path: 'full', movedBytes, chunks: objectCount }
  })
}

export function commitToCinder(
  deps: ActivityDependencies,
  { target, backupId }: CinderBackupKey,
  signal: AbortSignal,
): Promise<OperationResult> {
  return withCinderStore(deps, target, async (store) =>
    commitCinderBackup(store, await requireLocation(deps, store, backupId), signal),
  )
}

export function downloadFromCinder(
  deps: ActivityDependencies,
  { target, backupId }: CinderBackupKey,
  into: { destination: DeviceSpec; freshTarget: boolean },
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const before = attempt.movedBytesBefore
  return withCinderStore(deps, target, async (store, threads) => {
    const { movedBytes, backups } = await restoreCinderBackup(store, {
      location: await requireLocation(deps, store, backupId),
      ...into,
      threads,
      resumeFromBytes: attempt.resumeFromBytes,
      signal: attempt.signal,
      pace: (bytes) => attempt.pace(bytes),
      onProgress: (progress) =>
        attempt.progress({ ...progress, phase: 'downloading', movedBytes: before + progress.movedBytes }),
      onCheckpoint: (bytes) => attempt.checkpoint(bytes),
    })
    return { path: 'download', movedBytes: before + movedBytes, backups }
  })
}

/** Undo of a backup that was not finished. Nothing was stored before its place was written down. */
export function releaseFromCinder(
  deps: ActivityDependencies,
  { target, backupId }: CinderBackupKey,
): Promise<void> {
  return withCinderStore(deps, target, async (store) => {
    const location = await chooseLocation(deps, store, { target, backupId })
    if (location !== undefined) await removeCinderBackup(store, location)
  })
}

/** Undo of copies that nobody names. The backup is gone: all that built on it was merged, and names them. */
export function abortMergeInCinder(
  deps: ActivityDependencies,
  { target, backupId }: CinderBackupKey,
): Promise<void> {
  return withCinderStore(deps, target, async (store) => {
    const row = await readBackupRow(deps.database, backupId)
    const location = row === undefined ? undefined : locationOf(store.kind, row)
    if (location !== undefined) await abortMerge(store, location)
  })
}
