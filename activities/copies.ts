import type { BlockDevice, OpenDevice } from '../block-io/device.ts'
import { copyDevice } from '../block-io/copy.ts'
import { DriverError } from '../domain/errors.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { VolumeDriver } from '../drivers/volumes/driver.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

const INDEPENDENT: OperationResult = { path: 'independent', movedBytes: 0 }

export function createCopyActivities(deps: ActivityDependencies) {
  return {
    /** Image into a volume that this operation made: a user's qcow2 is read by a confined process only. */
    copyImage: (input: Input<'create-volume-from-image'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const image = await place(deps.stores, 'store', input.store).openImage(
          input.imageId,
          input.diskFormat,
        )
        const path = image.untrusted === true ? 'confined-convert' : 'copy'
        // A container's size is that of its file; what is copied is the disk in it.
        const sizeBytes = image.untrusted === true ? input.virtualSizeBytes : image.sizeBytes
        return using(image, () => copyInto(deps, input, { ...image, sizeBytes }, path, attempt))
      }),

    /** Snapshot into a volume that this operation made: afterwards the volume depends on nothing. */
    copySnapshot: (input: Input<'create-volume-from-snapshot'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const snapshot = { volumeId: input.sourceVolumeId, snapshotId: input.snapshotId }
        const source = await place(deps.backends, 'backend', input.backend).openSnapshot(snapshot)
        return using(source, () => copyInto(deps, input, source, 'flatten-copy', attempt))
      }),

    /**
     * A volume gets what it reads from others: in its place where its driver can do that, else as a copy of everything that takes its
     * place later.
     */
    flattenVolume: (input: Input<'flatten-volume'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) => flatten(deps, input, attempt)),

    /** A volume into its new backend, where it has the same id. */
    copyVolume: (input: Input<'migrate-volume'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const { volumeId, toBackend } = input
        const source = await place(deps.backends, 'backend', input.backend).openVolume({
          volumeId,
          access: 'read',
        })
        return using(source, () => copyInto(deps, { volumeId, backend: toBackend }, source, 'copy', attempt))
      }),
  }
}

async function flatten(
  deps: ActivityDependencies,
  input: Input<'flatten-volume'>,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const { volumeId, contentId, backend, sizeBytes, guest } = input
  const driver = place(deps.backends, 'backend', backend)
  if (driver.flattenVolume !== undefined) return flattenInPlace(driver, input, attempt)
  if (guest !== undefined)
    throw new DriverError('inUse', `Expected volume ${volumeId} not to be in use: detach it first`)
  const source = await driver.openVolume({ volumeId, access: 'read' })
  return using(source, async () => {
    // One file, with all of its bytes.
    if (source.plainFile !== undefined) return INDEPENDENT
    await driver.createVolume({ volumeId: contentId, sizeBytes })
    return copyInto(deps, { backend, volumeId: contentId }, source, 'flatten-copy', attempt)
  })
}

async function flattenInPlace(
  driver: VolumeDriver,
  { volumeId, guest, sizeBytes }: Input<'flatten-volume'>,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const before = attempt.movedBytesBefore
  // What earlier attempts have done is gone through again, fast: nobody wants to see that.
  const report = (doneBytes: number) => {
    const movedBytes = Math.max(before, doneBytes)
    attempt.progress({ phase: 'flattening', doneBytes: movedBytes, totalBytes: sizeBytes, movedBytes })
  }
  report(0)
  const done = await driver.flattenVolume?.({
    volumeId,
    ...(guest !== undefined && { guest }),
    signal: attempt.signal,
    onProgress: report,
    onCheckpoint: async (bytes) => {
      // Only what is new: attempts that crash at one point are counted.
      if (bytes > attempt.resumeFromBytes) await attempt.checkpoint(bytes)
    },
  })
  if (done?.flattened !== true) return INDEPENDENT
  report(sizeBytes)
  return { path: 'flatten', movedBytes: sizeBytes }
}

async function copyInto(
  deps: ActivityDependencies,
  input: { backend: string; volumeId: string },
  source: BlockDevice,
  path: string,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const driver = place(deps.backends, 'backend', input.backend)
  const target = await driver.openVolume({ volumeId: input.volumeId, access: 'write' })
  return using(target, async () => {
    const phase = path === 'confined-convert' ? 'converting' : 'copying'
    const before = attempt.movedBytesBefore
    const report = (doneBytes: number, moved: number) =>
      attempt.progress({ phase, doneBytes, totalBytes: source.sizeBytes, movedBytes: before + moved })
    report(attempt.resumeFromBytes, 0)
    const { movedBytes } = await copyDevice({
      source,
      target,
      lengthBytes: source.sizeBytes,
      startOffset: attempt.resumeFromBytes,
      // The volume was made for this operation, and only these bytes were ever written to it.
      targetIsZero: true,
      socketDirectory: deps.runFolder,
      signal: attempt.signal,
      onProgress: (progress) => report(progress.doneBytes, progress.movedBytes),
      onCheckpoint: (bytes) => attempt.checkpoint(bytes),
      pace: (bytes) => attempt.pace(bytes),
    })
    return { path, movedBytes: before + movedBytes }
  })
}

async function using<T>(device: Pick<OpenDevice, 'close'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await device.close()
  }
}
