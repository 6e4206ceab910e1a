import { LIMITS } from '../../../domain/limits.ts'
import { roundUp } from '../../../domain/sizes.ts'
import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { volumeImageMetadata } from '../../image-metadata.ts'
import { requireActiveImage } from '../active-image.ts'
import { checkAtLeast, checkVolumeSize } from '../checks.ts'
import { insertVolume, type NewVolumeContext, placeFor, volumeArtifact } from '../new-volume.ts'

export async function fromImage(context: NewVolumeContext, imageId: string): Promise<Accepted> {
  const { tx, actor, request, volumeId } = context
  const { image, blockFormat, virtualSizeBytes, leastBytes } = await requireActiveImage(tx, actor, imageId)
  const sizeBytes = request.sizeBytes ?? roundUp(leastBytes, LIMITS.volumeSizeUnitBytes)
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "image's virtual size", sizeBytes: leastBytes })
  const backend = await placeFor(context, sizeBytes)
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
