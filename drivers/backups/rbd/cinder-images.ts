/**
 * What Cinder's Ceph driver leaves in a pool (cinder/backup/drivers/ceph.py). A series of backups of a volume in a cluster is one image with a
 * snapshot for each; the full backup of any other volume is an image without. `base` is what the image was called before a series
 * had the name of its first backup.
 */
import { ifThere, rados, rbd } from '../../volumes/rbd/commands.ts'
import { infoOf, listNames, markOf, setMark, snapshotsOf, timeOf } from '../../volumes/rbd/images.ts'
import { poolOf, type RbdPlace, specOf } from '../../volumes/rbd/place.ts'
import { isId } from '../../volumes/file/ids.ts'
import type { BackupRef, PooledBackup } from '../pool.ts'

/** Where the bytes of a backup are. */
export interface Located extends PooledBackup {
  /** The one before it in its series. */
  readonly parentBackupId: string | null
  readonly image: string
  /** Undefined: they are the image's own. */
  readonly snapshot: string | undefined
}

interface CinderImage {
  readonly image: string
  readonly volumeId: string
  /** Of the first backup of the series, or the only one. Undefined: `base`. */
  readonly firstId: string | undefined
}

const IMAGE = /^volume-(.{36})\.backup\.(base|.{36})$/
const SNAPSHOT = /^backup\.(.{36})\.snap\.\d+(?:\.\d+)?$/
/** Of an image whose last snapshot is about to go: without one it looks like a backup. */
const REMOVING = 'volflow.removing'

export async function findCinders(
  place: RbdPlace,
  { backupId, volumeId }: BackupRef,
): Promise<Located | undefined> {
  for await (const located of listCinders(place, volumeId)) if (located.backupId === backupId) return located
  return undefined
}

/** All of the pool, or of one volume; those of a series from the oldest. */
export async function* listCinders(place: RbdPlace, volumeId?: string): AsyncGenerator<Located> {
  for (const found of await imagesOf(place, volumeId)) yield* (await ifThere(backupsIn(place, found))) ?? []
}

/** With the image when it was the last, as Cinder does it, and with what Cinder keeps of the volume's row. */
export async function removeCinders(
  place: RbdPlace,
  { image, snapshot, backupId }: Pick<Located, 'image' | 'snapshot' | 'backupId'>,
): Promise<void> {
  if (snapshot !== undefined) {
    const others = (await ifThere(snapshotsOf(place, image))) ?? []
    if (others.every(({ name }) => name === snapshot)) await setMark(place, image, REMOVING, backupId)
    await ifThere(rbd(place, ['snap', 'rm', '--no-progress', specOf(place, image, snapshot)]))
  }
  if ((await ifThere(snapshotsOf(place, image)))?.length === 0)
    await ifThere(rbd(place, ['rm', '--no-progress', specOf(place, image)]))
  await ifThere(rados(place, [...poolOf(place), 'rm', rowOf(backupId)]))
}

/** What a deletion that was interrupted left: an image without a snapshot. */
export async function finishRemovals(place: RbdPlace, { backupId, volumeId }: BackupRef): Promise<void> {
  for (const { image } of await imagesOf(place, volumeId)) {
    if ((await ifThere(markOf(place, image, REMOVING))) === backupId)
      await removeCinders(place, { image, snapshot: undefined, backupId })
  }
}

/** Of the volume's row, with which Cinder ends a backup: without a snapshot nothing else says that all bytes are there. */
function rowOf(backupId: string): string {
  return `backup.${backupId}.meta`
}

async function imagesOf(place: RbdPlace, volumeId: string | undefined): Promise<CinderImage[]> {
  const images = (await listNames(place)).flatMap((image) => parseImage(image) ?? [])
  return volumeId === undefined ? images : images.filter((one) => one.volumeId === volumeId)
}

function parseImage(image: string): CinderImage | undefined {
  const [, volumeId = '', first = ''] = IMAGE.exec(image) ?? []
  if (!isId(volumeId) || !(first === 'base' || isId(first))) return undefined
  return { image, volumeId, firstId: first === 'base' ? undefined : first }
}

async function backupsIn(place: RbdPlace, { image, volumeId, firstId }: CinderImage): Promise<Located[]> {
  const snapshots = (await snapshotsOf(place, image)).toSorted((a, b) => a.id - b.id)
  if (snapshots.length === 0) {
    if (firstId === undefined || (await markOf(place, image, REMOVING)) !== undefined) return []
    if ((await ifThere(rados(place, [...poolOf(place), 'stat', rowOf(firstId)]))) === undefined) return []
    const { size: sizeBytes, create_timestamp: madeAt } = await infoOf(place, image)
    const whole = { volumeId, backupId: firstId, parentBackupId: null, image, snapshot: undefined }
    return [{ ...whole, sizeBytes, madeAtMs: timeOf(madeAt) }]
  }
  const backups: Located[] = []
  for (const { name: snapshot, size: sizeBytes, timestamp } of snapshots) {
    const backupId = SNAPSHOT.exec(snapshot)?.[1] ?? ''
    if (!isId(backupId)) continue
    const series = { volumeId, backupId, parentBackupId: backups.at(-1)?.backupId ?? null, image, snapshot }
    backups.push({ ...series, sizeBytes, madeAtMs: timeOf(timestamp) })
  }
  return backups
}
