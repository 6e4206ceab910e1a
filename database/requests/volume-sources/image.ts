import { LIMITS } from '../../../domain/limits.ts'
import { roundUp } from '../../../domain/sizes.ts'
import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { volumeImageMetadata } from '../../image-metadata.ts'
import { requireActiveImage } from '../active-image.ts'
import { checkAtLeast, checkVolumeSize, choosePlace } from '../checks.ts'
import { insertVolume, type NewVolumeContext, volumeArtifact } from '../new-volume.ts'

export async function fromImage(
  { tx, actor, places, request, volumeId }: NewVolumeContext,
  imageId: string,
): Promise<Accepted> {
  const { image, blockFormat, virtualSizeBytes, leastBytes } = await requireActiveImage(tx, actor, imageId)
  const backend = choosePlace('backend', request.backend, places.backends)
  const sizeBytes = request.sizeBytes ?? roundUp(leastBytes, LIMITS.volumeSizeUnitBytes)
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "image's virtual size", sizeBytes: leastBytes })
  await insertVolume(tx, actor, request, {
    volumeId,
    backend,
    sizeBytes,
    imageId,
    bootable: 1,
    volumeImageMetadata: volumeImageMetadata(image),
  })
  const { store } = image
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume-from-image',
    spec: { volumeId, backend, sizeBytes, imageId, store, diskFormat: blockFormat, virtualSizeBytes },
    resources: { volume: volumeId, image: imageId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}
