import { open } from 'node:fs/promises'
import type { OpenDevice } from '../block-io/device.ts'
import type { DiskFormat } from '../drivers/images/driver.ts'
import { DriverError } from '../domain/errors.ts'
import { inspectImage } from '../image-formats/inspect.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import { attempted } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input = OperationSpecs['upload-image'] & { operationId: string }

export function createImageActivities(deps: ActivityDependencies) {
  return {
    /** Reads the headers of untrusted bytes; a malicious or broken file ends the operation here, before qemu sees it. */
    inspectStage: (input: Input): Promise<{ virtualSizeBytes: number }> =>
      attempted(deps.database, input.operationId, async () => {
        // As raw: the very bytes, with no format believed yet.
        const stage = await place(deps.stores, 'store', input.store).openStage(input.imageId, 'raw')
        try {
          return await inspect(stage, input.diskFormat)
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

async function inspect(stage: OpenDevice, declared: DiskFormat): Promise<{ virtualSizeBytes: number }> {
  if (stage.plainFile === undefined)
    throw new DriverError('unsupported', 'Expected the store to keep stages as files.')
  const handle = await open(stage.plainFile, 'r')
  try {
    const { virtualSizeBytes } = await inspectImage(handle, stage.sizeBytes, declared)
    return { virtualSizeBytes }
  } finally {
    await handle.close()
  }
}
