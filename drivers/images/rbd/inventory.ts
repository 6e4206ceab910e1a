import type { Inventory, StoredKey, StoredThing } from '../../inventory.ts'
import { checkedName } from '../../volumes/file/ids.ts'
import { ifThere } from '../../volumes/rbd/commands.ts'
import { infoOf, timeOf } from '../../volumes/rbd/images.ts'
import type { RbdPlace } from '../../volumes/rbd/place.ts'
import { renameImage } from '../../volumes/rbd/rename.ts'
import { asideName, imageName, parseName, stageName } from './names.ts'
import { listStored } from './remove.ts'
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
      if (parseName(checkedName(id))?.state === 'upload') await removeImage(place, id)
    },
  }
}

/** What waits for its readers and clones to go is where it should be. */
async function* list(place: RbdPlace): AsyncGenerator<StoredThing> {
  for (const { name, imageId, state } of await listStored(place)) {
    if (state === 'removed' || state === 'aside') continue
    const key = state === 'upload' ? { kind: 'temporary', id: name } : { kind: state, id: imageId }
    const found = await find(place, key as StoredKey)
    if (found !== undefined) yield found
  }
}

async function find(place: RbdPlace, key: StoredKey): Promise<StoredThing | undefined> {
  const name = nameOf(key)
  const info = await ifThere(infoOf(place, name))
  if (info === undefined) return undefined
  const owners = [parseName(name)?.imageId ?? key.id]
  return { ...key, owners, changedAtMs: timeOf(info.create_timestamp), sizeBytes: info.size }
}

function nameOf({ kind, id }: StoredKey): string {
  if (kind === 'temporary') return checkedName(id)
  return kind === 'stage' ? stageName(id) : imageName(id)
}
