import { openSource } from '../block-io/copy-source.ts'
import type { BlockDevice, BlockReader } from '../block-io/device.ts'
import type { DiskFormat } from '../drivers/images/driver.ts'
import { inspectImage } from '../image-formats/inspect.ts'
import type { ReadableFile } from '../image-formats/read.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import { attempted } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input = OperationSpecs['upload-image'] & { operationId: string }

export function createImageActivities(deps: ActivityDependencies) {
  return {
    /** Reads the headers of untrusted bytes; a malicious or broken file ends the operation here, before qemu sees it. */
    inspectStage: (input: Input): Promise<{ virtualSizeBytes: number }> =>
      attempted(deps.database, input.operationId, async ({ signal }) => {
        // As raw: the very bytes, with no format believed yet.
        const stage = await place(deps.stores, 'store', input.store).openStage(input.imageId, 'raw')
        try {
          return await inspect(stage, input.diskFormat, { signal, socketDirectory: deps.runFolder })
        } finally {
          await stage.close()
        }
      }),

    publishImage: (input: { operationId: string; imageId: string; store: string }): Promise<void> =>
      attempted(deps.database, input.operationId, () =>
        place(deps.stores, 'store', input.store).publish(input.imageId),
      ),

    removeImage: (input: OperationSpecs['delete-image'] & { operationId: string }): Promise<void> =>
      attempted(deps.database, input.operationId, () =>
        place(deps.stores, 'store', input.store).deleteImage(input.imageId),
      ),
  }
}

async function inspect(
  stage: BlockDevice,
  declared: DiskFormat,
  options: { signal: AbortSignal; socketDirectory: string },
): Promise<{ virtualSizeBytes: number }> {
  const reader = await openSource({ source: stage, ...options })
  try {
    const { virtualSizeBytes } = await inspectImage(asFile(reader), stage.sizeBytes, declared)
    return { virtualSizeBytes }
  } finally {
    await reader.close()
  }
}

function asFile(reader: BlockReader): ReadableFile {
  return {
    read: async (buffer, at, length, position) => {
      const bytesRead = Math.max(0, Math.min(length, reader.sizeBytes - position))
      await reader.read(buffer.subarray(at, at + bytesRead), position)
      return { bytesRead }
    },
  }
}
