import type { Inventory, StoredKey, StoredThing } from '../../inventory.ts'
import { checkedName } from '../file/ids.ts'
import { ifThere, rbd, rbdJson } from './commands.ts'
import { findSnapshot, type ImageInfo, infoOf, listImages, snapshotsOf, timeOf } from './images.ts'
import { asideImage, type ImageName, parseImage, snapshotIdOf, snapshotName, volumeImage } from './names.ts'
import { poolOf, type RbdPlace, specOf } from './place.ts'
import { purge, trashOf } from './remove.ts'

export function rbdVolumeInventory(place: RbdPlace): Inventory {
  return {
    list: () => list(place),
    find: (key) => find(place, key),
    setAside: (key) => setAside(place, key),
    removeTemporary: async (id) => removeTemporary(place, checkedName(id)),
  }
}

async function* list(place: RbdPlace): AsyncGenerator<StoredThing> {
  for (const image of await listImages(place)) {
    if (image.state === 'volume') yield* found(find(place, { kind: 'volume', id: image.volumeId }))
    if (image.state === 'content') yield* found(findTemporary(place, image.name))
    else yield* snapshotsIn(place, image)
  }
  // What waits there for its last clone to go is where it should be.
  for (const { name } of await trashOf(place)) {
    if (parseImage(name)?.state !== 'removed') yield* found(findTemporary(place, name))
  }
}

async function* found(looking: Promise<StoredThing | undefined>): AsyncGenerator<StoredThing> {
  const thing = await looking
  if (thing !== undefined) yield thing
}

async function* snapshotsIn(place: RbdPlace, { name, volumeId }: ImageName): AsyncGenerator<StoredThing> {
  for (const snapshot of (await ifThere(snapshotsOf(place, name))) ?? []) {
    const id = snapshotIdOf(snapshot.name)
    if (id === undefined) continue
    const owners = [id, volumeId]
    const changedAtMs = timeOf(snapshot.timestamp)
    yield { kind: 'snapshot', id, volumeId, owners, changedAtMs, sizeBytes: snapshot.size }
  }
}

async function find(place: RbdPlace, key: StoredKey): Promise<StoredThing | undefined> {
  if (key.kind === 'temporary') return findTemporary(place, checkedName(key.id))
  if (key.kind === 'snapshot') return findStoredSnapshot(place, { ...key, volumeId: key.volumeId ?? '' })
  const info = await ifThere(infoOf(place, volumeImage(key.id)))
  if (info === undefined) return undefined
  return { ...key, owners: [key.id], changedAtMs: timeOf(info.create_timestamp), sizeBytes: info.size }
}

async function findStoredSnapshot(
  place: RbdPlace,
  key: StoredKey & { volumeId: string },
): Promise<StoredThing | undefined> {
  volumeImage(key.volumeId)
  const image = await ifThere(findSnapshot(place, { volumeId: key.volumeId, snapshotId: key.id }))
  if (image === undefined) return undefined
  const snapshots = await snapshotsOf(place, image.name)
  const snapshot = snapshots.find(({ name }) => name === snapshotName(key.id))
  if (snapshot === undefined) return undefined
  const changedAtMs = timeOf(snapshot.timestamp)
  return { ...key, owners: [key.id, key.volumeId], changedAtMs, sizeBytes: snapshot.size }
}

/** What a deletion or a revert left that was interrupted. Nobody sees it. */
async function findTemporary(place: RbdPlace, name: string): Promise<StoredThing | undefined> {
  const parsed = parseImage(name)
  if (parsed === undefined) return undefined
  const trashed = (await trashOf(place)).find((entry) => entry.name === name)
  const where = trashed === undefined ? [specOf(place, name)] : ['--image-id', trashed.id, ...poolOf(place)]
  const info = await ifThere(rbdJson<ImageInfo>(place, ['info', ...where]))
  if (info === undefined) return undefined
  return {
    kind: 'temporary',
    id: name,
    owners: [parsed.volumeId],
    changedAtMs: timeOf(info.create_timestamp),
  }
}

async function setAside(place: RbdPlace, key: StoredKey): Promise<void> {
  if (key.kind === 'volume') {
    const image = volumeImage(key.id)
    await ifThere(rbd(place, ['rename', specOf(place, image), specOf(place, asideImage(key.id))]))
    return
  }
  const ref = { volumeId: key.volumeId ?? '', snapshotId: key.id }
  volumeImage(ref.volumeId)
  const image = await ifThere(findSnapshot(place, ref))
  if (image === undefined) return
  const [from, to] = [snapshotName(key.id), `aside-${snapshotName(key.id)}-${Date.now()}`]
  await rbd(place, ['snap', 'rename', specOf(place, image.name, from), specOf(place, image.name, to)])
}

async function removeTemporary(place: RbdPlace, name: string): Promise<void> {
  const entry = (await trashOf(place)).find((one) => one.name === name)
  if (entry !== undefined) await purge(place, entry.id)
  else if (parseImage(name)?.state === 'content')
    await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, name)]))
}
