import type { OperationEnd, OperationKind, OperationSpecs } from '../../domain/operations.ts'
import type { Tx } from '../resources.ts'

/** What an ended operation writes to its image besides the status: Glance's result columns. */
export async function applyImageResult(
  tx: Tx,
  operation: { kind: OperationKind; spec: string; resourceId: string },
  end: OperationEnd,
): Promise<void> {
  const { kind, resourceId } = operation
  const result = end.result ?? {}
  if (kind === 'copy-image' && end.outcome === 'succeeded') {
    const { toStore: store } = JSON.parse(operation.spec) as OperationSpecs['copy-image']
    await tx.insertInto('imageCopies').values({ imageId: resourceId, store }).execute()
  }
  if (kind === 'upload-image' && end.outcome === 'succeeded') {
    const virtualSizeBytes = Number(result.virtualSizeBytes)
    await tx.updateTable('images').set({ virtualSizeBytes }).where('id', '=', resourceId).execute()
  }
  if (kind === 'upload-volume-to-image' && end.outcome === 'succeeded') {
    const bytes = { sizeBytes: Number(result.sizeBytes), virtualSizeBytes: Number(result.virtualSizeBytes) }
    const hashes = {
      checksum: String(result.md5),
      osHashAlgo: 'sha512',
      osHashValue: String(result.sha512),
    }
    await tx
      .updateTable('images')
      .set({ ...bytes, ...hashes })
      .where('id', '=', resourceId)
      .execute()
  }
  if (kind === 'upload-image' && end.outcome !== 'succeeded') {
    const none = { sizeBytes: null, checksum: null, osHashAlgo: null, osHashValue: null }
    await tx.updateTable('images').set(none).where('id', '=', resourceId).execute()
  }
}
