import { open } from 'node:fs/promises'
import type { Database } from '../../../database/open.ts'
import { beginOperation } from '../../../database/operations/begin.ts'
import { endOperation } from '../../../database/operations/end.ts'
import type { OperationSpecs } from '../../../domain/operations.ts'
import type { ImageStore } from '../../../drivers/images/driver.ts'
import { inspectImage } from '../../../image-formats/inspect.ts'

/** Does what the workflows of images do, with the real store and inspector, and without Temporal. */
export async function work(database: Database, stores: ReadonlyMap<string, ImageStore>, operationId: string) {
  const begun = await beginOperation(database, operationId)
  if (begun === undefined) return
  const store = stores.get((begun.spec as { store: string }).store)
  if (store === undefined) throw new Error('Expected a store')
  if (begun.kind === 'upload-image') {
    const spec = begun.spec as OperationSpecs['upload-image']
    try {
      const virtualSizeBytes = await inspect(store, spec)
      await store.publish(spec.imageId)
      await endOperation(database, operationId, { outcome: 'succeeded', result: { virtualSizeBytes } })
    } catch (error) {
      await store.discardStage(spec.imageId)
      await database.deleteFrom('artifacts').where('operationId', '=', operationId).execute()
      const { message } = error as Error
      await endOperation(database, operationId, { outcome: 'failed', error: { code: 'invalid', message } })
    }
  } else if (begun.kind === 'copy-image') {
    const { imageId, toStore, sizeBytes } = begun.spec as OperationSpecs['copy-image']
    const target = stores.get(toStore)
    const progress = { sizeMaxBytes: sizeBytes, signal: new AbortController().signal }
    await target?.writeStage(imageId, await store.readImage(imageId), progress)
    await target?.publish(imageId)
    await endOperation(database, operationId, { outcome: 'succeeded' })
  } else if (begun.kind === 'delete-image') {
    const { imageId, copies = [] } = begun.spec as OperationSpecs['delete-image']
    for (const name of copies) await stores.get(name)?.deleteImage(imageId)
    await store.deleteImage(imageId)
    await store.discardStage(imageId)
    await database.deleteFrom('artifacts').where('operationId', '=', operationId).execute()
    await endOperation(database, operationId, { outcome: 'succeeded' })
  }
}

async function inspect(store: ImageStore, spec: OperationSpecs['upload-image']): Promise<number> {
  const stage = await store.openStage(spec.imageId, 'raw')
  const handle = await open(stage.plainFile ?? '', 'r')
  try {
    return (await inspectImage(handle, stage.sizeBytes, spec.diskFormat)).virtualSizeBytes
  } finally {
    await handle.close()
  }
}
