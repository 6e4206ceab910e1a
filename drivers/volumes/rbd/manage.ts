/** Images that others made become volumes, and volumes become images that are nobody's: a rename each way. */
import { DriverError } from '../../../domain/errors.ts'
import { checkSize } from '../sizes.ts'
import { ifThere, rbd } from './commands.ts'
import { infoOf, snapshotsOf } from './images.ts'
import { parseImage, snapshotIdOf, unmanagedImage, volumeImage } from './names.ts'
import { type RbdPlace, specOf } from './place.ts'
import { renameImage } from './rename.ts'
import { claimAlone } from './writers.ts'

export async function manageVolume(
  place: RbdPlace,
  { volumeId, sourceName }: { volumeId: string; sourceName: string },
): Promise<{ sizeBytes: number }> {
  const name = volumeImage(volumeId)
  if (!/^[^/@\0]+$/.test(sourceName) || (parseImage(sourceName)?.state ?? 'volume') !== 'volume')
    throw new DriverError(
      'invalid',
      `Expected the name of an image in the pool, without / and @, that is no part of a volume, got ${JSON.stringify(sourceName)}`,
    )
  const [done, source] = [await ifThere(infoOf(place, name)), await ifThere(infoOf(place, sourceName))]
  // Both: interrupted between the two halves of the rename.
  if (done !== undefined && done.id !== source?.id) return { sizeBytes: done.size }
  if (source === undefined)
    throw new DriverError('notFound', `Expected image ${sourceName} to exist in the pool, it does not`)
  checkSize(source.size)
  const [snapshot] = await snapshotsOf(place, sourceName)
  if (snapshot !== undefined)
    throw new DriverError(
      'invalid',
      `Expected image ${sourceName} to have no snapshots, it has ${snapshot.name}: remove them, or copy the image (rbd copy), and manage that`,
    )
  await claimAlone(place, sourceName)
  await renameImage(place, sourceName, name)
  return { sizeBytes: source.size }
}

/** Snapshots that are left are volflow's own: users' have to go before. */
export async function unmanageVolume(place: RbdPlace, volumeId: string): Promise<{ sourceName: string }> {
  const [name, sourceName] = [volumeImage(volumeId), unmanagedImage(volumeId)]
  if ((await ifThere(infoOf(place, name))) === undefined) return { sourceName }
  await claimAlone(place, name)
  for (const snapshot of await snapshotsOf(place, name))
    if (snapshotIdOf(snapshot.name) !== undefined)
      await ifThere(rbd(place, ['snap', 'rm', '--no-progress', specOf(place, name, snapshot.name)]))
  await renameImage(place, name, sourceName)
  return { sourceName }
}
