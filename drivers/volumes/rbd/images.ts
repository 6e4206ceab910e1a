/** What the cluster says about images. */
import { DriverError } from '../../../domain/errors.ts'
import type { SnapshotRef } from '../driver.ts'
import { ifThere, rbd, rbdJson } from './commands.ts'
import { contentImage, type ImageName, parseImage, snapshotName, volumeImage } from './names.ts'
import { poolOf, type RbdPlace, specOf } from './place.ts'

export interface ImageInfo {
  readonly name: string
  readonly id: string
  readonly size: number
  readonly object_size: number
  readonly snapshot_count: number
  readonly features: readonly string[]
  /** `object map invalid`, `fast diff invalid`. */
  readonly flags: readonly string[]
  readonly create_timestamp: string
  readonly parent?: ParentInfo
}

export interface ParentInfo {
  readonly pool: string
  readonly pool_namespace: string
  readonly image: string
  readonly id: string
  readonly snapshot: string
  /** The snapshot was deleted, and is kept for its clones. */
  readonly trash: boolean
}

export interface SnapshotInfo {
  readonly id: number
  readonly name: string
  readonly size: number
  readonly timestamp: string
}

export function infoOf(place: RbdPlace, image: string, snapshot?: string): Promise<ImageInfo> {
  return rbdJson<ImageInfo>(place, ['info', specOf(place, image, snapshot)])
}

/** Those that users can name. */
export function snapshotsOf(place: RbdPlace, image: string): Promise<SnapshotInfo[]> {
  return rbdJson<SnapshotInfo[]>(place, ['snap', 'ls', specOf(place, image)])
}

/** The programs run with the time zone UTC, and do not say so. */
export function timeOf(timestamp: string): number {
  return Date.parse(`${timestamp} UTC`)
}

/** All images of the pool, also those of others. */
export function listNames(place: RbdPlace): Promise<string[]> {
  return rbdJson<string[]>(place, ['ls', ...poolOf(place)])
}

/** All volumes of ours, by their names. */
export async function listImages(place: RbdPlace): Promise<ImageName[]> {
  return (await listNames(place)).flatMap((name) => parseImage(name) ?? [])
}

/** The image with the volume's bytes. `notFound` where there is none. */
export async function currentImage(place: RbdPlace, volumeId: string): Promise<ImageInfo> {
  const image = volumeImage(volumeId)
  const info = await ifThere(infoOf(place, image))
  if (info !== undefined) return info
  const content = await pendingContent(place, volumeId)
  if (content !== undefined) return infoOf(place, content)
  throw new DriverError('notFound', `Expected volume ${volumeId} to exist, it does not`)
}

/**
 * A replacement renames the old image away, and then the new one into its place. Between the two the new one has its old name: it is
 * the volume. Undefined: there is none.
 */
export async function pendingContent(place: RbdPlace, volumeId: string): Promise<string | undefined> {
  const images = await listImages(place)
  const names = new Set(images.map(({ name }) => name))
  return images
    .filter((image) => image.volumeId === volumeId)
    .flatMap(({ contentId }) =>
      contentId === undefined ? [] : [volumeImage(contentId), contentImage(volumeId, contentId)],
    )
    .find((name) => names.has(name))
}

/** The snapshot, in whichever image of its volume it is. `size` is its own. */
export async function findSnapshot(place: RbdPlace, ref: SnapshotRef): Promise<ImageInfo> {
  const snapshot = snapshotName(ref.snapshotId)
  const usual = await ifThere(infoOf(place, volumeImage(ref.volumeId), snapshot))
  if (usual !== undefined) return usual
  for (const { name, volumeId } of await listImages(place)) {
    if (volumeId !== ref.volumeId || name === volumeImage(ref.volumeId)) continue
    const info = await ifThere(infoOf(place, name, snapshot))
    if (info !== undefined) return info
  }
  throw new DriverError('notFound', `Expected snapshot ${ref.snapshotId} to exist, it does not`)
}

/** How many images below this one a read may have to ask. */
export async function depthOf(place: RbdPlace, info: ImageInfo): Promise<number> {
  let depth = 0
  for (let parent = info.parent; parent !== undefined && depth <= place.cloneDepthMax; depth++) {
    parent = (await parentInfo(place, parent)).parent
  }
  return depth
}

/** By its id: it may be in the trash. */
function parentInfo(place: RbdPlace, { pool, pool_namespace, id }: ParentInfo): Promise<ImageInfo> {
  const namespace = pool_namespace === '' ? [] : ['--namespace', pool_namespace]
  return rbdJson<ImageInfo>(place, ['info', '--pool', pool, ...namespace, '--image-id', id])
}

export async function setMark(place: RbdPlace, image: string, key: string, value: string): Promise<void> {
  await rbd(place, ['image-meta', 'set', specOf(place, image), key, value])
}

export async function markOf(place: RbdPlace, image: string, key: string): Promise<string | undefined> {
  return (await ifThere(rbd(place, ['image-meta', 'get', specOf(place, image), key])))?.trim()
}

export async function removeMark(place: RbdPlace, image: string, key: string): Promise<void> {
  await ifThere(rbd(place, ['image-meta', 'remove', specOf(place, image), key]))
}
