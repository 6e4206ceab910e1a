import { type BlockFormat, blockFormat } from '../../domain/disk-formats.ts'
import { RequestError } from '../../domain/errors.ts'
import { GiB } from '../../domain/sizes.ts'
import { requireVisibleImage } from '../images/visible.ts'
import type { Actor } from '../operations/accept.ts'
import type { ImageRow } from '../read.ts'
import type { Tx } from '../resources.ts'

/**
 * An image that had its bytes, of whomever, if the actor's project may see it; and the size that a volume must have for it. Throws
 * RequestError 404 or 409.
 */
export async function requireActiveImage(
  tx: Tx,
  actor: Actor,
  imageId: string,
): Promise<{ image: ImageRow; blockFormat: BlockFormat; virtualSizeBytes: number; leastBytes: number }> {
  const reader = { projectId: actor.projectId, isAdmin: false }
  const image = await requireVisibleImage(tx, reader, imageId, { evenDeleting: true })
  const { virtualSizeBytes } = image
  // Any other wrong status is refused with the locks, naming who holds the image.
  if (virtualSizeBytes === null || image.diskFormat === null) {
    throw new RequestError(
      409,
      'invalidStatus',
      `Expected image ${imageId} to be active, but its status is ${image.status}.`,
    )
  }
  return {
    image,
    blockFormat: blockFormat(image.diskFormat),
    virtualSizeBytes,
    leastBytes: Math.max(virtualSizeBytes, image.minDisk * GiB),
  }
}
