import type { FlattenRequest, InUse } from '../driver.ts'
import { rbd } from './commands.ts'
import { currentImage, infoOf, markOf, removeMark, setMark } from './images.ts'
import { addMaps, isMap } from './maps.ts'
import { rbdMeasured } from './measured.ts'
import { volumeImage } from './names.ts'
import { type RbdPlace, specOf } from './place.ts'
import { claimImage, recordedWhile } from './writers.ts'

/** Of the image, while it has no map of its objects. */
const MAPLESS = 'volflow.mapless'

/**
 * `rbd flatten`, which goes through all objects and copies those that the image does not have: begun again it is soon where it was. With
 * a guest the guest's own client does it, and goes on with it when we are gone.
 *
 * Meanwhile the image has no map of its objects. Ceph puts an object on the map before it copies it, and skips what is on the map: where
 * it was killed in between, the next flattening would lose the object (docs/rbd.md).
 */
export async function flattenVolume(
  place: RbdPlace,
  { volumeId, guest, ...request }: FlattenRequest & InUse,
): Promise<{ flattened: boolean }> {
  volumeImage(volumeId)
  const image = await currentImage(place, volumeId)
  if (image.parent === undefined) {
    await restoreMaps(place, image.name)
    return { flattened: false }
  }
  const { name, size: sizeBytes } = image
  const maps = image.features.filter(isMap)
  const work = async () => {
    if (maps.length > 0) await removeMaps(place, name, maps)
    await rbdMeasured(place, ['flatten', specOf(place, name)], { image: name, sizeBytes }, request)
  }
  if (guest === undefined) {
    await claimImage(place, name)
    await recordedWhile(place, name, work)
  } else await work()
  if (maps.length > 0) await putMapsBack(place, name, maps)
  else await restoreMaps(place, name)
  return { flattened: true }
}

async function removeMaps(place: RbdPlace, name: string, maps: readonly string[]): Promise<void> {
  await setMark(place, name, MAPLESS, maps.join(','))
  await rbd(place, ['feature', 'disable', specOf(place, name), ...maps])
}

/** What was taken away by a call before this one, which was killed. */
async function restoreMaps(place: RbdPlace, name: string): Promise<void> {
  const maps = (await markOf(place, name, MAPLESS))?.split(',')
  if (maps === undefined) return
  const { features } = await infoOf(place, name)
  const missing = maps.filter((map) => !features.includes(map))
  await putMapsBack(place, name, missing)
}

async function putMapsBack(place: RbdPlace, name: string, maps: readonly string[]): Promise<void> {
  await addMaps(place, name, maps)
  await removeMark(place, name, MAPLESS)
}
