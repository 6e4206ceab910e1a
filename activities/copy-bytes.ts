import type { BlockDevice, OpenDevice } from '../block-io/device.ts'
import { copyDevice } from '../block-io/copy.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

/** Everything of `source` into a volume that was made for this operation. */
export async function copyInto(
  deps: ActivityDependencies,
  input: { backend: string; volumeId: string },
  source: BlockDevice,
  path: string,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const driver = place(deps.backends, 'backend', input.backend)
  const target = await driver.openVolume({ volumeId: input.volumeId, access: 'write' })
  return using(target, () => copyBytes(deps, { source, target, path }, attempt))
}

/** ... into a device that is all zeroes but for what earlier attempts have copied. */
export async function copyBytes(
  deps: ActivityDependencies,
  { source, target, path }: { source: BlockDevice; target: OpenDevice; path: string },
  attempt: RunningAttempt,
): Promise<OperationResult> {
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
}

export async function using<T>(device: Pick<OpenDevice, 'close'>, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } finally {
    await device.close()
  }
}
