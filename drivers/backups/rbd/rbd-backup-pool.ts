import { DriverError } from '../../../domain/errors.ts'
import { clusterIdOf, ifThere } from '../../volumes/rbd/commands.ts'
import { infoOf, listNames, type SnapshotInfo, snapshotsOf, timeOf } from '../../volumes/rbd/images.ts'
import { blockdevOf, openPlace, type RbdConfig, type RbdPlace } from '../../volumes/rbd/place.ts'
import type { BackupPool, BackupRef, PooledBackup } from '../pool.ts'
import { backupIdOf, backupImage, backupSnapshot, volumeIdOf } from './names.ts'
import { removeBackup } from './remove.ts'
import { writeBackup } from './write.ts'

/** A pool with one image for each volume, and in it one snapshot for each backup. */
export async function openRbdBackupPool(config: RbdConfig): Promise<BackupPool> {
  const place = await openPlace(config)
  return {
    kind: 'rbd',
    writeBackup: (request) => writeBackup(place, request),
    findBackup: (ref) => find(place, ref),
    openBackup: async (ref) => {
      const { volumeId, sizeBytes } = await requireBackup(place, ref)
      const file = blockdevOf(place, backupImage(volumeId), backupSnapshot(ref.backupId))
      const blockdev = { driver: 'raw', 'read-only': true, file }
      return { sizeBytes, blockdev, close: () => Promise.resolve() }
    },
    cloneSource: async (ref) => {
      const { volumeId, sizeBytes } = await requireBackup(place, ref)
      const { pool, namespace } = place
      const names = { image: backupImage(volumeId), snapshot: backupSnapshot(ref.backupId) }
      return { clusterId: await clusterIdOf(place), pool, namespace, ...names, sizeBytes }
    },
    deleteBackup: async (ref) => {
      const volumeId = ref.volumeId ?? (await find(place, ref))?.volumeId
      if (volumeId !== undefined) await removeBackup(place, backupImage(volumeId), ref.backupId)
    },
    list: () => list(place),
  }
}

async function requireBackup(place: RbdPlace, ref: BackupRef): Promise<PooledBackup> {
  const found = await find(place, ref)
  if (found !== undefined) return found
  throw new DriverError(
    'notFound',
    `Expected backup ${ref.backupId} in pool ${place.pool}, it is not there. Delete its entry; another backup of the volume may be there.`,
  )
}

async function find(place: RbdPlace, { backupId, volumeId }: BackupRef): Promise<PooledBackup | undefined> {
  const volumeIds = volumeId === undefined ? await listVolumeIds(place) : [volumeId]
  const name = backupSnapshot(backupId)
  for (const id of volumeIds) {
    const snapshots = (await ifThere(snapshotsOf(place, backupImage(id)))) ?? []
    const snapshot = snapshots.find((one) => one.name === name)
    if (snapshot !== undefined) return described(id, backupId, snapshot)
  }
  return undefined
}

async function* list(place: RbdPlace): ReturnType<BackupPool['list']> {
  for (const volumeId of await listVolumeIds(place)) {
    const image = backupImage(volumeId)
    // Undefined: a name without an image.
    const snapshots = (await ifThere(infoOf(place, image))) && (await ifThere(snapshotsOf(place, image)))
    const backups = (snapshots ?? []).flatMap((snapshot) => {
      const backupId = backupIdOf(snapshot.name)
      return backupId === undefined ? [] : [described(volumeId, backupId, snapshot)]
    })
    yield* backups
    if (backups.length === 0) yield { empty: image, volumeId }
  }
}

function described(
  volumeId: string,
  backupId: string,
  { size: sizeBytes, timestamp }: SnapshotInfo,
): PooledBackup {
  return { volumeId, backupId, sizeBytes, madeAtMs: timeOf(timestamp) }
}

async function listVolumeIds(place: RbdPlace): Promise<string[]> {
  return (await listNames(place)).flatMap((name) => volumeIdOf(name) ?? [])
}
