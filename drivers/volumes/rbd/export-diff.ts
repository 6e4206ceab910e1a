import type { DiffExport, SnapshotRef } from '../driver.ts'
import { clusterIdOf, rbdOutput } from './commands.ts'
import { findSnapshot, snapshotsOf } from './images.ts'
import { snapshotName, volumeImage } from './names.ts'
import { readPercent } from './percent.ts'
import { type RbdPlace, specOf } from './place.ts'

/** `rbd export-diff`: exact, whatever the size of the volume. */
export async function exportDiff(
  place: RbdPlace,
  { fromSnapshotId, ...ref }: SnapshotRef & { fromSnapshotId: string | null },
): Promise<DiffExport> {
  volumeImage(ref.volumeId)
  const to = snapshotName(ref.snapshotId)
  const { name, size: sizeBytes } = await findSnapshot(place, ref)
  const from = fromSnapshotId === null ? undefined : snapshotName(fromSnapshotId)
  const isKnown = from === undefined || (await isBefore(place, name, [from, to]))
  const since = from === undefined || !isKnown ? [] : ['--from-snap', from]
  return {
    clusterId: await clusterIdOf(place),
    sizeBytes,
    ...(!isKnown && {
      unknown: 'the volume got other bytes since the parent backup, or its snapshot is gone',
    }),
    start: (onPercent) => {
      const args = ['export-diff', ...since, specOf(place, name, to), '-']
      return rbdOutput(place, args, readPercent(onPercent))
    },
  }
}

async function isBefore(
  place: RbdPlace,
  image: string,
  [from, to]: readonly [string, string],
): Promise<boolean> {
  const ids = new Map((await snapshotsOf(place, image)).map(({ name, id }) => [name, id]))
  return (ids.get(from) ?? Infinity) < (ids.get(to) ?? 0)
}
