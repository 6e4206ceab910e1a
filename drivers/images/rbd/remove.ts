/** Removing images that somebody may still read, and that may have clones. */
import { ifThere, rbd } from '../../volumes/rbd/commands.ts'
import { infoOf, listNames } from '../../volumes/rbd/images.ts'
import { type RbdPlace, specOf } from '../../volumes/rbd/place.ts'
import { purge, trashOf } from '../../volumes/rbd/remove.ts'
import { renameImage } from '../../volumes/rbd/rename.ts'
import { watchersOf } from '../../volumes/rbd/writers.ts'
import { derivedName, imageName, parseName, removedName, type StoredName } from './names.ts'

export async function listStored(place: RbdPlace): Promise<StoredName[]> {
  return (await listNames(place)).flatMap((name) => parseName(name) ?? [])
}

/** Nobody finds it afterwards; who reads it already reads it to its end. */
export async function deleteImage(place: RbdPlace, imageId: string): Promise<void> {
  for (const name of [imageName(imageId), derivedName(imageId)]) {
    if ((await ifThere(infoOf(place, name))) !== undefined) await renameImage(place, name, removedName(name))
  }
  for (const found of await listStored(place)) {
    if (found.imageId === imageId && found.state === 'removed') await removeUnlessRead(place, found.name)
  }
}

/** What earlier calls had to leave: images that were read, and in the trash those that had clones. */
export async function sweepImages(place: RbdPlace): Promise<void> {
  for (const { name, state } of await listStored(place)) {
    if (state === 'removed') await removeUnlessRead(place, name)
  }
  for (const { id, name } of await trashOf(place)) {
    if (parseName(name)?.state === 'removed') await purge(place, id)
  }
}

async function removeUnlessRead(place: RbdPlace, name: string): Promise<void> {
  const info = await ifThere(infoOf(place, name))
  if (info === undefined || (await watchersOf(place, name)).size > 0) return
  // A snapshot with clones is kept for them, out of sight. A deletion and a sweep may be at it at the same time.
  await ifThere(rbd(place, ['snap', 'purge', '--no-progress', specOf(place, name)]))
  await ifThere(rbd(place, ['trash', 'mv', specOf(place, name)]))
  await purge(place, info.id)
}
