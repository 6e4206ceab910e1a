import { RequestError } from '../../domain/errors.ts'
import { GiB } from '../../domain/sizes.ts'
import type { Actor } from '../operations/accept.ts'
import { requireResource, type Tx } from '../resources.ts'

/** An image that had its bytes, and the size that a volume must have for it. Throws RequestError 404 or 409. */
export async function requireActiveImage(tx: Tx, actor: Actor, imageId: string) {
  const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
  const { virtualSizeBytes } = image
  // Any other wrong status is refused with the locks, naming who holds the image.
  if (virtualSizeBytes === null) {
    throw new RequestError(
      409,
      'invalidStatus',
      `Expected image ${imageId} to be active, but its status is ${image.status}.`,
    )
  }
  return { image, virtualSizeBytes, leastBytes: Math.max(virtualSizeBytes, image.minDisk * GiB) }
}
