import type { ByteRange } from '../../../block-io/device.ts'
import { RBD_LIMITS } from '../../../domain/rbd-limits.ts'
import type { ChangedRanges, ChangedRequest } from '../driver.ts'
import { ifThere, rbdJson } from './commands.ts'
import { findSnapshot, infoOf, type SnapshotInfo, snapshotsOf } from './images.ts'
import { snapshotName, volumeImage } from './names.ts'
import { type RbdPlace, specOf } from './place.ts'

interface DiffEntry {
  readonly offset: number
  readonly length: number
}

/** What was written between two snapshots of one image. Which of them is older does not matter: both differ in the same places. */
export async function changedRanges(
  place: RbdPlace,
  { volumeId, fromSnapshotId, toSnapshotId, signal }: ChangedRequest,
): Promise<ChangedRanges> {
  const usual = volumeImage(volumeId)
  const [fromName, toName] = [snapshotName(fromSnapshotId), snapshotName(toSnapshotId)]
  const image = await imageOfBoth(place, usual, [fromName, toName])
  if (image === undefined) {
    const [from, to] = [fromSnapshotId, toSnapshotId].map((snapshotId) =>
      findSnapshot(place, { volumeId, snapshotId }),
    )
    if ((await from)?.id !== (await to)?.id)
      return { unknown: 'the volume got other bytes between the two snapshots' }
    const name = (await to)?.name ?? usual
    return diff(place, { name, snapshots: await snapshotsOf(place, name) }, [fromName, toName], signal)
  }
  return diff(place, image, [fromName, toName], signal)
}

interface ImageWithSnapshots {
  readonly name: string
  readonly snapshots: readonly SnapshotInfo[]
}

async function imageOfBoth(
  place: RbdPlace,
  name: string,
  names: readonly string[],
): Promise<ImageWithSnapshots | undefined> {
  const snapshots = (await ifThere(snapshotsOf(place, name))) ?? []
  const known = new Set(snapshots.map((snapshot) => snapshot.name))
  return names.every((one) => known.has(one)) ? { name, snapshots } : undefined
}

async function diff(
  place: RbdPlace,
  { name, snapshots }: ImageWithSnapshots,
  [fromName, toName]: readonly [string, string],
  signal: AbortSignal | undefined,
): Promise<ChangedRanges> {
  const snapshot = (wanted: string) => snapshots.find((one) => one.name === wanted)
  const [from, to] = [snapshot(fromName), snapshot(toName)]
  if (from === undefined || to === undefined) return { unknown: 'one of the snapshots is going' }
  if (from === to) return { ranges: [] }
  const [older, newer] = from.id < to.id ? [from, to] : [to, from]
  const whole = (await wholeObjects(place, name, to.size)) ? ['--whole-object'] : []
  const args = ['diff', ...whole, '--from-snap', older.name, specOf(place, name, newer.name)]
  const entries = await rbdJson<DiffEntry[]>(place, args, {
    ...(signal && { signal }),
    timeoutMs: RBD_LIMITS.rbdRemoveMs,
  })
  return { ranges: [...within(entries, to.size), ...tail(from.size, to.size)] }
}

/**
 * Whole objects are known from a map, without a question to the cluster for each, as long as that map is valid. Of a small volume the
 * questions cost less than reading what did not change.
 */
async function wholeObjects(place: RbdPlace, name: string, sizeBytes: number): Promise<boolean> {
  if (sizeBytes <= RBD_LIMITS.rbdExactDiffMaxBytes) return false
  const { features, flags } = await infoOf(place, name)
  return features.includes('fast-diff') && !flags.some((flag) => flag.endsWith('invalid'))
}

function within(entries: readonly DiffEntry[], sizeBytes: number): ByteRange[] {
  return entries.flatMap(({ offset, length }) =>
    offset < sizeBytes ? [{ offset, length: Math.min(length, sizeBytes - offset) }] : [],
  )
}

function tail(oldSizeBytes: number, sizeBytes: number): ByteRange[] {
  return sizeBytes > oldSizeBytes ? [{ offset: oldSizeBytes, length: sizeBytes - oldSizeBytes }] : []
}
