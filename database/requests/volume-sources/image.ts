import { RequestError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { GiB, roundUp } from '../../../domain/sizes.ts'
import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { requireResource } from '../../resources.ts'
import { checkAtLeast, checkVolumeSize, choosePlace } from '../checks.ts'
import { insertVolume, type NewVolumeContext, volumeArtifact } from '../new-volume.ts'

export async function fromImage(
  { tx, actor, places, request, volumeId }: NewVolumeContext,
  imageId: string,
): Promise<Accepted> {
  const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
  const backend = choosePlace('backend', request.backend, places.backends)
  // Any other wrong status is refused with the locks, naming who holds the image.
  if (image.virtualSizeBytes === null) {
    throw new RequestError(
      409,
      'invalidStatus',
      `Expected image ${imageId} to be active, but its status is ${image.status}.`,
    )
  }
  const leastBytes = Math.max(image.virtualSizeBytes, image.minDisk * GiB)
  const sizeBytes = request.sizeBytes ?? roundUp(leastBytes, LIMITS.volumeSizeUnitBytes)
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "image's virtual size", sizeBytes: leastBytes })
  const volumeImageMetadata = JSON.stringify({
    image_id: imageId,
    image_name: image.name ?? '',
    checksum: image.checksum ?? '',
    container_format: image.containerFormat,
    disk_format: image.diskFormat,
    min_disk: String(image.minDisk),
    min_ram: String(image.minRam),
    size: String(image.sizeBytes ?? 0),
  })
  await insertVolume(tx, actor, request, {
    volumeId,
    backend,
    sizeBytes,
    imageId,
    bootable: 1,
    volumeImageMetadata,
  })
  const { store, diskFormat, virtualSizeBytes } = image
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume-from-image',
    spec: { volumeId, backend, sizeBytes, imageId, store, diskFormat, virtualSizeBytes },
    resources: { volume: volumeId, image: imageId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}
