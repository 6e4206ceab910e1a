import { randomUUID } from 'node:crypto'
import { guestOf } from '../../attachments.ts'
import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { requireResource } from '../../resources.ts'
import { checkAtLeast, checkVolumeSize, choosePlace } from '../checks.ts'
import {
  insertVolume,
  type NewVolumeContext,
  requireTypeOn,
  temporarySnapshot,
  volumeArtifact,
} from '../new-volume.ts'

export async function fromVolume(
  { tx, actor, places, request, volumeId }: NewVolumeContext,
  sourceVolumeId: string,
): Promise<Accepted> {
  const source = await requireResource(tx, 'volume', { id: sourceVolumeId, projectId: actor.projectId })
  // A clone lives where its source lives; moving it elsewhere is a migration.
  const backend = choosePlace('backend', request.backend, [source.backend])
  requireTypeOn(places, request, backend)
  const sizeBytes = request.sizeBytes ?? source.sizeBytes
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: 'source volume', sizeBytes: source.sizeBytes })
  const { bootable, volumeImageMetadata } = source
  await insertVolume(tx, actor, request, {
    ...{ volumeId, backend, sizeBytes, sourceVolumeId, bootable, volumeImageMetadata },
  })
  const snapshotId = randomUUID()
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'clone-volume',
    spec: {
      volumeId,
      backend,
      sizeBytes,
      snapshotId,
      sourceVolumeId,
      snapshotSizeBytes: source.sizeBytes,
      flatten: request.flatten ?? false,
      ...(await guestOf(tx, sourceVolumeId)),
    },
    resources: { volume: volumeId, source: sourceVolumeId },
    primary: 'volume',
    artifacts: [temporarySnapshot(backend, snapshotId, sourceVolumeId), volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}
