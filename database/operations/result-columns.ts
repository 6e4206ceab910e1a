import type { OperationEnd, OperationKind, OperationSpecs, ResourceType } from '../../domain/operations.ts'
import { volumeImageMetadata } from '../image-metadata.ts'
import type { Tx } from '../resources.ts'
import { applyImageResult } from './image-result.ts'
import { writeFindings } from './verification-findings.ts'
import { noteLayers } from './layers.ts'

/** What an ended operation writes to its resource besides the status: Cinder's and Glance's result columns. */
export async function applyResult(
  tx: Tx,
  operation: { kind: OperationKind; spec: string; resourceType: ResourceType; resourceId: string },
  end: OperationEnd,
): Promise<void> {
  const { kind, resourceId } = operation
  const result = end.result ?? {}
  if (kind === 'unlink-backup' && end.outcome === 'succeeded') {
    const { parentBackupId } = JSON.parse(operation.spec) as OperationSpecs['unlink-backup']
    const isIncremental = parentBackupId === null ? 0 : 1
    await tx
      .updateTable('backups')
      .set({ parentId: parentBackupId, isIncremental })
      .where('parentId', '=', resourceId)
      .execute()
  }
  const makesBackup = kind === 'create-backup' || kind === 'copy-backup'
  if (makesBackup && end.outcome === 'succeeded') {
    const objectCount = Number(result.objectCount ?? 0)
    const storedBytes = Number(result.storedBytes ?? 0)
    await tx.updateTable('backups').set({ objectCount, storedBytes }).where('id', '=', resourceId).execute()
  }
  if (makesBackup && end.outcome === 'failed') {
    const failReason = end.error?.message ?? null
    await tx.updateTable('backups').set({ failReason }).where('id', '=', resourceId).execute()
  }
  if (kind === 'verify-backup' && end.outcome === 'succeeded') {
    await writeFindings(tx, JSON.parse(operation.spec) as OperationSpecs['verify-backup'], result)
  }
  await noteLayers(tx, operation, end)
  if (kind === 'migrate-volume') await noteMigration(tx, operation, end)
  await applyImageResult(tx, operation, end)
  if ((kind === 'extend-volume' || kind === 'manage-volume') && end.outcome === 'succeeded') {
    const sizeBytes = Number(result.sizeBytes)
    await tx.updateTable('volumes').set({ sizeBytes }).where('id', '=', resourceId).execute()
  }
  if (kind === 'reimage-volume' && end.outcome === 'succeeded') {
    const { imageId } = JSON.parse(operation.spec) as OperationSpecs['reimage-volume']
    const image = await tx
      .selectFrom('images')
      .selectAll()
      .where('id', '=', imageId)
      .executeTakeFirstOrThrow()
    await tx
      .updateTable('volumes')
      .set({ imageId, bootable: 1, volumeImageMetadata: volumeImageMetadata(image) })
      .where('id', '=', resourceId)
      .execute()
  }
}

/** How it went, and of which type the volume is now. */
async function noteMigration(
  tx: Tx,
  { spec, resourceId }: { spec: string; resourceId: string },
  { outcome }: OperationEnd,
): Promise<void> {
  const { volumeType } = JSON.parse(spec) as OperationSpecs['migrate-volume']
  const succeeded = outcome === 'succeeded'
  const types = { volumeType: volumeType?.name ?? null, volumeTypeId: volumeType?.id ?? null }
  await tx
    .updateTable('volumes')
    .set({ migrationStatus: succeeded ? 'success' : 'error', claim: null })
    .$if(succeeded && volumeType !== undefined, (query) => query.set(types))
    .where('id', '=', resourceId)
    .execute()
}
