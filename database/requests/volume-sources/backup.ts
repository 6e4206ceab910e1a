import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { requireResource } from '../../resources.ts'
import { checkAtLeast, checkVolumeSize, choosePlace } from '../checks.ts'
import { insertVolume, type NewVolumeContext, volumeArtifact } from '../new-volume.ts'

export async function fromBackup(
  { tx, actor, places, request, volumeId }: NewVolumeContext,
  backupId: string,
): Promise<Accepted> {
  const { projectId } = actor
  const backup = await requireResource(tx, 'backup', { id: backupId, projectId })
  const backend = choosePlace('backend', request.backend, places.backends)
  const sizeBytes = request.sizeBytes ?? backup.sizeBytes
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "backup's volume", sizeBytes: backup.sizeBytes })
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
