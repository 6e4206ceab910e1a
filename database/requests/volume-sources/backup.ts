import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { requireResource } from '../../resources.ts'
import { checkAtLeast, checkVolumeSize } from '../checks.ts'
import { insertVolume, type NewVolumeContext, placeFor, volumeArtifact } from '../new-volume.ts'

export async function fromBackup(context: NewVolumeContext, backupId: string): Promise<Accepted> {
  const { tx, actor, request, volumeId } = context
  const { projectId } = actor
  const backup = await requireResource(tx, 'backup', { id: backupId, projectId })
  const sizeBytes = request.sizeBytes ?? backup.sizeBytes
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "backup's volume", sizeBytes: backup.sizeBytes })
  const backend = await placeFor(context, sizeBytes)
  const metadata = { ...request.metadata, src_backup_id: backupId }
  const origin = await tx
    .selectFrom('volumes')
    .select(['bootable', 'volumeImageMetadata'])
    .where('id', '=', backup.volumeId)
    .executeTakeFirst()
  await insertVolume(
    tx,
    actor,
    { ...request, metadata },
    { volumeId, backend, sizeBytes, backupId, ...origin },
  )
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'restore-backup',
    spec: { volumeId, backend, sizeBytes, backupId, target: backup.target, projectId },
    resources: { volume: volumeId, backup: backupId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}
