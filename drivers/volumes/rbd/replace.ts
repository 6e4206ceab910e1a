import { randomUUID } from 'node:crypto'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import { checkAtLeast, checkSize } from '../sizes.ts'
import type { SnapshotRef } from '../driver.ts'
import { ifThere, rbd } from './commands.ts'
import { cloneImage } from './create.ts'
import { currentImage, depthOf, findSnapshot, infoOf, listImages, pendingContent } from './images.ts'
import { contentImage, replacedImage, snapshotName, volumeImage } from './names.ts'
import { type RbdPlace, specOf } from './place.ts'
import { removeUnlessNeeded } from './remove.ts'
import { renameImage } from './rename.ts'
import { claimAlone } from './writers.ts'

/** The image of volume `contentId` becomes the volume's; the old one stays for its snapshots, under another name. */
export async function replaceVolume(
  place: RbdPlace,
  { volumeId, contentId }: { volumeId: string; contentId: string },
): Promise<void> {
  const content = volumeImage(contentId)
  volumeImage(volumeId)
  await finishReplacement(place, volumeId)
  if ((await ifThere(infoOf(place, content))) !== undefined) {
    await claimAlone(place, content)
    return putInPlace(place, { volumeId, contentId, content })
  }
  // Done before: the old image may not have been looked at since.
  await currentImage(place, volumeId)
  await removeOld(place, volumeId, replacedImage(volumeId, contentId))
}

/** A clone of the snapshot takes the place of the volume: at once, however large it is. Copied back it would be neither for a while. */
export async function revertVolume(
  place: RbdPlace,
  { sizeBytes, ...ref }: SnapshotRef & { sizeBytes: number },
): Promise<void> {
  const { volumeId, snapshotId } = ref
  volumeImage(volumeId)
  snapshotName(snapshotId)
  checkSize(sizeBytes)
  await finishReplacement(place, volumeId)
  const { name } = await currentImage(place, volumeId)
  const source = await findSnapshot(place, ref)
  checkAtLeast(sizeBytes, { what: 'snapshot', sizeBytes: source.size })
  await claimAlone(place, name)
  await removeContents(place, volumeId)
  const contentId = randomUUID()
  const content = contentImage(volumeId, contentId)
  await cloneImage(place, source, { snapshotId, image: content, sizeBytes })
  if ((await depthOf(place, source)) >= place.cloneDepthMax)
    await rbd(place, ['flatten', '--no-progress', specOf(place, content)], {
      timeoutMs: RBD_LIMITS.rbdRemoveMs,
    })
  await putInPlace(place, { volumeId, contentId, content })
}

/** Between the two renames the content is the volume (see pendingContent). */
async function putInPlace(
  place: RbdPlace,
  { volumeId, contentId, content }: { volumeId: string; contentId: string; content: string },
): Promise<void> {
  const [image, old] = [volumeImage(volumeId), replacedImage(volumeId, contentId)]
  if ((await ifThere(infoOf(place, image))) !== undefined) {
    await claimAlone(place, image)
    await renameImage(place, image, old)
  }
  await renameImage(place, content, image)
  await removeOld(place, volumeId, old)
}

/** Of a replacement whose old image is away already. */
async function finishReplacement(place: RbdPlace, volumeId: string): Promise<void> {
  if ((await ifThere(infoOf(place, volumeImage(volumeId)))) !== undefined) return
  const content = await pendingContent(place, volumeId)
  if (content !== undefined) await renameImage(place, content, volumeImage(volumeId))
}

/** What reverts left that were interrupted before their clone had taken the place of the volume. */
async function removeContents(place: RbdPlace, volumeId: string): Promise<void> {
  for (const image of await listImages(place)) {
    if (image.volumeId === volumeId && image.state === 'content')
      await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, image.name)]))
  }
}

async function removeOld(place: RbdPlace, volumeId: string, old: string): Promise<void> {
  const info = await ifThere(infoOf(place, old))
  if (info !== undefined) await removeUnlessNeeded(place, info, volumeId)
}
