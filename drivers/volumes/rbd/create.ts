import { DriverError } from '../../../domain/errors.ts'
import { formatBytes } from '../../../domain/sizes.ts'
import type { CloneSource } from '../../images/driver.ts'
import { checkAtLeast, checkSize } from '../sizes.ts'
import type { SnapshotRef } from '../driver.ts'
import { clusterIdOf, hasStatus, ifThere, rbd, STATUS, unlessThere } from './commands.ts'
import { currentImage, depthOf, findSnapshot, type ImageInfo, infoOf, markOf, setMark } from './images.ts'
import { snapshotName, volumeImage } from './names.ts'
import { type RbdPlace, specOf } from './place.ts'
import { claimImage, fenceWriter } from './writers.ts'

/** What was begun is told from what is complete: a clone could be read as zeroes, or its parent be removed under it; a copy is a part. */
const READY = 'volflow.ready'

interface NewVolume {
  readonly volumeId: string
  readonly sizeBytes: number
}

export async function createVolume(place: RbdPlace, { volumeId, sizeBytes }: NewVolume): Promise<void> {
  checkSize(sizeBytes)
  const found = await createImage(place, { image: volumeImage(volumeId), sizeBytes }, () =>
    currentImage(place, volumeId),
  )
  if (found !== undefined) checkSizeIs(found, volumeId, sizeBytes)
}

/** All zeroes; or what `find` finds where the name is taken. */
export async function createImage(
  place: RbdPlace,
  { image, sizeBytes }: { image: string; sizeBytes: number },
  find: () => Promise<ImageInfo> = () => infoOf(place, image),
): Promise<ImageInfo | undefined> {
  const create = ['create', '--size', `${sizeBytes}B`, '--image-format', '2', ...layoutOf(place)]
  const make = () => rbd(place, [...create, specOf(place, image)])
  if (await unlessThere(make())) return undefined
  const found = await ifThere(find())
  if (found !== undefined) return found
  // It was begun: it has a name, and nothing behind it.
  await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, image)]))
  await make()
  return undefined
}

/** Throws `unsupported` when the clone would be too deep. */
export async function cloneSnapshot(
  place: RbdPlace,
  { newVolumeId, sizeBytes, ...ref }: SnapshotRef & { newVolumeId: string; sizeBytes: number },
): Promise<void> {
  const image = volumeImage(newVolumeId)
  checkSize(sizeBytes)
  const source = await findSnapshot(place, ref)
  checkAtLeast(sizeBytes, { what: 'snapshot', sizeBytes: source.size })
  const depth = await depthOf(place, source)
  if (depth >= place.cloneDepthMax) throw tooDeep(ref, place.cloneDepthMax)
  await cloneImage(place, source, { snapshotId: ref.snapshotId, image, sizeBytes })
  checkSizeIs(await infoOf(place, image), newVolumeId, sizeBytes)
}

/** However deep. Repeatable. */
export function cloneImage(
  place: RbdPlace,
  source: ImageInfo,
  { snapshotId, image, sizeBytes }: { snapshotId: string; image: string; sizeBytes: number },
): Promise<void> {
  const from = specOf(place, source.name, snapshotName(snapshotId))
  return cloneInto(place, { from, fromBytes: source.size }, { image, sizeBytes })
}

/** It is in this cluster, and for us to read. */
export async function reachesImage(place: RbdPlace, source: CloneSource): Promise<boolean> {
  if ((await clusterIdOf(place)) !== source.clusterId) return false
  try {
    await rbd(place, ['info', specOf(source, source.image, source.snapshot)])
    return true
  } catch (error) {
    if (hasStatus(error, STATUS.forbidden)) return false
    throw error
  }
}

/** False: it is in another cluster, or not for us. */
export async function cloneStoredImage(
  place: RbdPlace,
  { source, newVolumeId, sizeBytes }: { source: CloneSource; newVolumeId: string; sizeBytes: number },
): Promise<boolean> {
  const image = volumeImage(newVolumeId)
  checkSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: 'image', sizeBytes: source.sizeBytes })
  if ((await clusterIdOf(place)) !== source.clusterId) return false
  const from = specOf(source, source.image, source.snapshot)
  try {
    await cloneInto(place, { from, fromBytes: source.sizeBytes }, { image, sizeBytes })
  } catch (error) {
    if (hasStatus(error, STATUS.forbidden)) return false
    throw error
  }
  checkSizeIs(await infoOf(place, image), newVolumeId, sizeBytes)
  return true
}

async function cloneInto(
  place: RbdPlace,
  { from, fromBytes }: { from: string; fromBytes: number },
  { image, sizeBytes }: { image: string; sizeBytes: number },
): Promise<void> {
  const clone = () => rbd(place, ['clone', ...layoutOf(place), from, specOf(place, image)])
  if (!(await unlessThere(clone()))) {
    if (await isReady(place, image)) return
    // One that was killed while it wrote it counts as somebody who has it open.
    await ifThere(fenceWriter(place, image))
    await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, image)]))
    await clone()
  }
  if (sizeBytes > fromBytes) await resize(place, image, sizeBytes)
  await setReady(place, image)
}

export async function isReady(place: RbdPlace, image: string): Promise<boolean> {
  return (await markOf(place, image, READY)) !== undefined
}

export async function setReady(place: RbdPlace, image: string): Promise<void> {
  await setMark(place, image, READY, 'yes')
}

export async function extendVolume(place: RbdPlace, { volumeId, sizeBytes }: NewVolume): Promise<void> {
  volumeImage(volumeId)
  checkSize(sizeBytes)
  const { name, size } = await currentImage(place, volumeId)
  checkAtLeast(sizeBytes, { what: 'volume', sizeBytes: size })
  if (size === sizeBytes) return
  await claimImage(place, name)
  await resize(place, name, sizeBytes)
}

export async function resize(place: RbdPlace, image: string, sizeBytes: number): Promise<void> {
  await rbd(place, ['resize', '--no-progress', '--size', `${sizeBytes}B`, specOf(place, image)])
}

/** Of an image that is made. */
export function layoutOf({ features, dataPool }: RbdPlace): string[] {
  return ['--image-feature', features.join(','), ...(dataPool === undefined ? [] : ['--data-pool', dataPool])]
}

function checkSizeIs({ size }: ImageInfo, volumeId: string, sizeBytes: number): void {
  if (size === sizeBytes) return
  const [wanted, found] = [formatBytes(sizeBytes), formatBytes(size)]
  throw new DriverError('invalid', `Expected volume ${volumeId} to have ${wanted}, got ${found}`)
}

function tooDeep({ volumeId }: SnapshotRef, depthMax: number): DriverError {
  return new DriverError(
    'unsupported',
    `Expected volume ${volumeId} to be a clone of at most ${depthMax - 1} others, it is of ${depthMax}: flatten it`,
  )
}
