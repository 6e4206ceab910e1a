import type { OperationSpecs } from '../domain/operations.ts'
import { DriverError } from '../domain/errors.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { VolumeDriver } from '../drivers/volumes/driver.ts'
import type { RunningAttempt } from './attempt.ts'
import { copyInto, using } from './copy-bytes.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Flattening = OperationSpecs['flatten-volume'] & { operationId: string }

const INDEPENDENT: OperationResult = { path: 'independent', movedBytes: 0 }

/** In its place where the driver can do that, else as a copy of everything that takes its place later. */
export async function flatten(
  deps: ActivityDependencies,
  input: Flattening,
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
  { volumeId, guest, sizeBytes }: Flattening,
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
