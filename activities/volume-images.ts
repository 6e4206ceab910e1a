import { Readable } from 'node:stream'
import { openSource } from '../block-io/copy-source.ts'
import type { BlockDevice } from '../block-io/device.ts'
import { writeQcow2 } from '../block-io/qcow2.ts'
import { contentOf } from '../block-io/stream.ts'
import type { StagedBytes } from '../drivers/images/driver.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input = OperationSpecs['upload-volume-to-image'] & { operationId: string }

export function createVolumeImageActivities(deps: ActivityDependencies) {
  return {
    /**
     * The volume's bytes into the stage of an image, with its hashes. A file that was begun cannot be gone on with, since its
     * hashes began with it: an attempt that vanished is replaced by one from the start.
     */
    stageVolume: (input: Input): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const driver = place(deps.backends, 'backend', input.backend)
        const volume = await driver.openVolume({ volumeId: input.volumeId, access: 'read' })
        try {
          const stage = input.diskFormat === 'raw' ? stageRaw : stageQcow2
          return { path: input.diskFormat, ...(await stage(deps, input, volume, attempt)) }
        } finally {
          await volume.close()
        }
      }),
  }
}

type Staged = StagedBytes & { movedBytes: number }

/** One pass: the bytes are hashed while they are written. */
async function stageRaw(
  deps: ActivityDependencies,
  input: Input,
  volume: BlockDevice,
  attempt: RunningAttempt,
): Promise<Staged> {
  const { signal } = attempt
  const reader = await openSource({ source: volume, signal, socketDirectory: deps.runFolder })
  try {
    let movedBytes = 0
    const content = contentOf(reader, {
      signal,
      onRead: (bytes) => {
        movedBytes += bytes
      },
      pace: (bytes) => attempt.pace(bytes),
    })
    const staged = await place(deps.stores, 'store', input.store).writeStage(
      input.imageId,
      Readable.from(content),
      {
        sizeMaxBytes: LIMITS.imageSizeMaxBytes,
        signal,
        onBytes: (doneBytes) =>
          attempt.progress({ phase: 'copying', doneBytes, totalBytes: volume.sizeBytes, movedBytes }),
      },
    )
    return { ...staged, movedBytes }
  } finally {
    await reader.close()
  }
}

/** Two passes: a qcow2 has its tables written last and at its beginning, so that only the whole file can be hashed. */
async function stageQcow2(
  deps: ActivityDependencies,
  input: Input,
  volume: BlockDevice,
  attempt: RunningAttempt,
): Promise<Staged> {
  const { signal } = attempt
  const totalBytes = volume.sizeBytes
  const convert = (path: string) =>
    writeQcow2(volume, path, {
      signal,
      onProgress: (doneBytes) =>
        attempt.progress({ phase: 'converting', doneBytes, totalBytes, movedBytes: doneBytes }),
    })
  const staged = await place(deps.stores, 'store', input.store).buildStage(input.imageId, convert, {
    signal,
    onBytes: (hashedBytes) =>
      attempt.progress({ phase: 'hashing', doneBytes: totalBytes, totalBytes, movedBytes: hashedBytes }),
  })
  return { ...staged, movedBytes: staged.sizeBytes }
}
