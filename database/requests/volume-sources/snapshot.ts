import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { requireResource } from '../../resources.ts'
import { checkAtLeast, checkVolumeSize, choosePlace } from '../checks.ts'
import { insertVolume, type NewVolumeContext, requireTypeOn, volumeArtifact } from '../new-volume.ts'

export async function fromSnapshot(
  { tx, actor, places, request, volumeId }: NewVolumeContext,
  snapshotId: string,
): Promise<Accepted> {
  const snapshot = await requireResource(tx, 'snapshot', { id: snapshotId, projectId: actor.projectId })
  // A layer or clone lives where its snapshot lives; moving it elsewhere is a migration.
  const backend = choosePlace('backend', request.backend, [snapshot.backend])
  requireTypeOn(places, request, backend)
  const sizeBytes = request.sizeBytes ?? snapshot.sizeBytes
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: 'snapshot', sizeBytes: snapshot.sizeBytes })
  const origin = await tx
    .selectFrom('volumes')
    .select(['bootable', 'volumeImageMetadata'])
    .where('id', '=', snapshot.volumeId)
    .executeTakeFirst()
  await insertVolume(tx, actor, request, { volumeId, backend, sizeBytes, snapshotId, ...origin })
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume-from-snapshot',
    spec: {
      volumeId,
      backend,
      sizeBytes,
      snapshotId,
      sourceVolumeId: snapshot.volumeId,
      snapshotSizeBytes: snapshot.sizeBytes,
      flatten: request.flatten ?? false,
    },
    resources: { volume: volumeId, snapshot: snapshotId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}
