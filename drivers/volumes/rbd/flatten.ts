import type { FlattenRequest, InUse } from '../driver.ts'
import { rbd } from './commands.ts'
import { currentImage, type ImageInfo, infoOf, markOf, removeMark, setMark } from './images.ts'
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
  const work = async () => {
    await removeMaps(place, image)
    const { name, size } = image
    await rbdMeasured(place, ['flatten', specOf(place, name)], { image: name, sizeBytes: size }, request)
  }
  if (guest === undefined) {
    await claimImage(place, image.name)
    await recordedWhile(place, image.name, work)
  } else await work()
  await restoreMaps(place, image.name)
  return { flattened: true }
}

async function removeMaps(place: RbdPlace, { name, features }: ImageInfo): Promise<void> {
  const maps = features.filter(isMap)
  if (maps.length === 0) return
  await setMark(place, name, MAPLESS, maps.join(','))
  await rbd(place, ['feature', 'disable', specOf(place, name), ...maps])
}

/** What was taken away, by this call or by one before it that was killed. */
async function restoreMaps(place: RbdPlace, name: string): Promise<void> {
  const maps = (await markOf(place, name, MAPLESS))?.split(',')
  if (maps === undefined) return
  const { features } = await infoOf(place, name)
  await addMaps(
    place,
    name,
    maps.filter((map) => !features.includes(map)),
  )
  await removeMark(place, name, MAPLESS)
}
