import type { Inventory, StoredKey, StoredThing } from '../../inventory.ts'
import { checkedName } from '../../volumes/file/ids.ts'
import { ifThere } from '../../volumes/rbd/commands.ts'
import { infoOf, timeOf } from '../../volumes/rbd/images.ts'
import type { RbdPlace } from '../../volumes/rbd/place.ts'
import { renameImage } from '../../volumes/rbd/rename.ts'
import { asideName, imageName, parseName, stageName } from './names.ts'
import { discardDraft } from './derived.ts'
import { deleteImage, listStored } from './remove.ts'
import { removeImage } from './stages.ts'

export function rbdImageInventory(place: RbdPlace): Inventory {
  return {
    list: () => list(place),
    find: (key) => find(place, key),
    setAside: async (key) => {
      const name = nameOf(key)
      if ((await ifThere(infoOf(place, name))) !== undefined) await renameImage(place, name, asideName(name))
    },
    removeTemporary: async (id) => {
      await removeTemporary(place, checkedName(id))
    },
  }
}

/** What waits for its readers and clones to go is where it should be, and what is derived from an image is a part of it. */
async function* list(place: RbdPlace): AsyncGenerator<StoredThing> {
  const stored = await listStored(place)
  const images = new Set(stored.filter(({ state }) => state === 'image').map(({ imageId }) => imageId))
  for (const { name, imageId, state } of stored) {
    if (state === 'removed' || state === 'aside' || (state === 'derived' && images.has(imageId))) continue
    const isResource = state === 'image' || state === 'stage'
    const found = await find(
      place,
      isResource ? { kind: state, id: imageId } : { kind: 'temporary', id: name },
    )
    if (found !== undefined) yield found
  }
}

async function find(place: RbdPlace, key: StoredKey): Promise<StoredThing | undefined> {
  const name = nameOf(key)
  const info = await ifThere(infoOf(place, name))
  if (info === undefined) return undefined
  const { imageId, draftId } = parseName(name) ?? { imageId: key.id }
  // A draft is made for a volume; the image is only read.
  const owners = [draftId ?? imageId]
  return { ...key, owners, changedAtMs: timeOf(info.create_timestamp), sizeBytes: info.size }
}

async function removeTemporary(place: RbdPlace, name: string): Promise<void> {
  const { imageId, state, draftId = '' } = parseName(name) ?? {}
  if (imageId === undefined) return
  if (state === 'upload') await removeImage(place, name)
  if (state === 'draft') await discardDraft(place, { imageId, draftId })
  // Its image is gone, and somebody may be a clone of it.
  if (state === 'derived') await deleteImage(place, imageId)
}

function nameOf({ kind, id }: StoredKey): string {
  if (kind === 'temporary') return checkedName(id)
  return kind === 'stage' ? stageName(id) : imageName(id)
}
