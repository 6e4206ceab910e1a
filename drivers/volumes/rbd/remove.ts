/** Removing images, which may have snapshots that others need, and clones that still read from them. */
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import type { SnapshotRef } from '../driver.ts'
import { hasStatus, ifThere, rbd, rbdJson, STATUS } from './commands.ts'
import { findSnapshot, infoOf, type ImageInfo, listImages, snapshotsOf } from './images.ts'
import { deletedImage, type ImageName, parseImage, removedImage, snapshotName, volumeImage } from './names.ts'
import { poolOf, type RbdPlace, specOf } from './place.ts'
import { renameImage } from './rename.ts'
import { claimAlone } from './writers.ts'

interface TrashEntry {
  readonly id: string
  readonly name: string
}

export async function deleteVolume(place: RbdPlace, volumeId: string): Promise<void> {
  const image = volumeImage(volumeId)
  const info = await ifThere(infoOf(place, image))
  if (info !== undefined) {
    await claimAlone(place, image)
    await removeImage(place, info, volumeId)
  }
  await removeRemains(place, volumeId)
}

export async function deleteSnapshot(place: RbdPlace, ref: SnapshotRef): Promise<void> {
  const name = snapshotName(ref.snapshotId)
  const usual = volumeImage(ref.volumeId)
  if ((await ifThere(removeSnapshot(place, usual, name))) !== undefined) return
  const found = await ifThere(findSnapshot(place, ref))
  if (found === undefined || found.name === usual) return
  await ifThere(removeSnapshot(place, found.name, name))
  // Nobody needs the old image any more, unless it has other snapshots.
  const info = await ifThere(infoOf(place, found.name))
  if (info !== undefined && parseImage(info.name)?.state !== 'aside')
    await removeUnlessNeeded(place, info, ref.volumeId)
}

/** For an image that is no volume any more: it stays for its snapshots. */
export async function removeUnlessNeeded(place: RbdPlace, info: ImageInfo, volumeId: string): Promise<void> {
  const needed = info.snapshot_count > 0 && (await snapshotsOf(place, info.name)).length > 0
  if (!needed) await removeImage(place, info, volumeId)
}

/** Removes what only clones need, as soon as no clone does: what earlier calls had to leave. */
export async function sweepTrash(place: RbdPlace): Promise<void> {
  for (;;) {
    const entries = (await trashOf(place)).filter(({ name }) => parseImage(name)?.state === 'removed')
    let removed = 0
    for (const { id } of entries) if (await purge(place, id)) removed += 1
    // One that went may have been the last clone of another.
    if (removed === 0) return
  }
}

export function trashOf(place: RbdPlace): Promise<TrashEntry[]> {
  return rbdJson<TrashEntry[]>(place, ['trash', 'ls', ...poolOf(place)])
}

/** False: something still reads from it. */
export async function purge(place: RbdPlace, imageId: string): Promise<boolean> {
  try {
    const args = ['trash', 'rm', '--no-progress', specOf(place, imageId)]
    await ifThere(rbd(place, args, { timeoutMs: RBD_LIMITS.rbdRemoveMs }))
    return true
  } catch (error) {
    if (hasStatus(error, STATUS.notEmpty, STATUS.busy)) return false
    throw error
  }
}

async function removeImage(place: RbdPlace, info: ImageInfo, volumeId: string): Promise<void> {
  let { name } = info
  if (info.snapshot_count > 0) {
    const needed = (await snapshotsOf(place, name)).length > 0
    const left = needed ? deletedImage(volumeId) : removedImage(volumeId)
    await renameImage(place, name, left)
    if (needed) return
    name = left
  }
  await rbd(place, ['trash', 'mv', specOf(place, name)])
  await purge(place, info.id)
}

/** `undefined`: there was none. */
function removeSnapshot(place: RbdPlace, image: string, snapshot: string): Promise<string> {
  return rbd(place, ['snap', 'rm', '--no-progress', specOf(place, image, snapshot)])
}

/** What a deletion, a creation or a replacement left that was interrupted. */
async function removeRemains(place: RbdPlace, volumeId: string): Promise<void> {
  for (const image of await listImages(place)) {
    if (image.volumeId === volumeId) await removeRemaining(place, image)
  }
  for (const { id, name } of await trashOf(place)) {
    if (parseImage(name)?.volumeId === volumeId) await purge(place, id)
  }
}

async function removeRemaining(place: RbdPlace, { name, volumeId, state }: ImageName): Promise<void> {
  const info = await ifThere(infoOf(place, name))
  // A name without an image.
  if (info === undefined) await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, name)]))
  else if (state !== 'volume' && state !== 'aside') await removeUnlessNeeded(place, info, volumeId)
}
