import { createImage } from '../../volumes/rbd/create.ts'
import { clusterIdOf, ifThere, rbd, unlessThere } from '../../volumes/rbd/commands.ts'
import { infoOf } from '../../volumes/rbd/images.ts'
import { openImageToWrite } from '../../volumes/rbd/open.ts'
import { type RbdPlace, specOf } from '../../volumes/rbd/place.ts'
import { renameImage } from '../../volumes/rbd/rename.ts'
import { claimImage } from '../../volumes/rbd/writers.ts'
import type { CloneSource, DerivedImages, Draft } from '../driver.ts'
import { derivedName, draftName, SNAPSHOT } from './names.ts'
import { removeImage } from './stages.ts'

export function derivedImages(place: RbdPlace, socketDirectory: string): DerivedImages {
  return {
    cloneSource: (imageId) => ifThere(cloneSourceOf(place, derivedName(imageId))),
    openDraft: async ({ sizeBytes, ...draft }) => {
      const name = draftName(draft)
      await createImage(place, { image: name, sizeBytes })
      return openImageToWrite(place, { name, sizeBytes }, socketDirectory)
    },
    publish: (draft) => publishDraft(place, draft),
    discard: (draft) => discardDraft(place, draft),
  }
}

/** Of a published image, or of what is derived from one. */
export async function cloneSourceOf(place: RbdPlace, image: string): Promise<CloneSource> {
  const { size: sizeBytes } = await infoOf(place, image, SNAPSHOT)
  const { pool, namespace } = place
  return { clusterId: await clusterIdOf(place), pool, namespace, image, snapshot: SNAPSHOT, sizeBytes }
}

/** The snapshot is there before the name: whoever finds it can clone it. */
async function publishDraft(place: RbdPlace, draft: Draft): Promise<void> {
  const [from, to] = [draftName(draft), derivedName(draft.imageId)]
  if ((await ifThere(infoOf(place, from))) === undefined) {
    await infoOf(place, to, SNAPSHOT)
    return
  }
  await unlessThere(rbd(place, ['snap', 'create', '--no-progress', specOf(place, from, SNAPSHOT)]))
  if (!(await unlessThere(renameImage(place, from, to)))) await discardDraft(place, draft)
}

export async function discardDraft(place: RbdPlace, draft: Draft): Promise<void> {
  const name = draftName(draft)
  if ((await ifThere(infoOf(place, name))) === undefined) return
  await claimImage(place, name)
  await removeImage(place, name)
}
