import { DriverError } from '../../../domain/errors.ts'
import { clusterIdOf, ifThere } from '../../volumes/rbd/commands.ts'
import { infoOf, listNames, type SnapshotInfo, snapshotsOf, timeOf } from '../../volumes/rbd/images.ts'
import { usedBytes } from '../../volumes/rbd/usage.ts'
import { blockdevOf, openPlace, type RbdConfig, type RbdPlace } from '../../volumes/rbd/place.ts'
import type { BackupPool, BackupRef } from '../pool.ts'
import { findCinders, finishRemovals, listCinders, type Located, removeCinders } from './cinder-images.ts'
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
      const { image, snapshot, sizeBytes } = await requireBackup(place, ref)
      const file = blockdevOf(place, image, snapshot)
      const blockdev = { driver: 'raw', 'read-only': true, file }
      return { sizeBytes, blockdev, close: () => Promise.resolve() }
    },
    copySource: async (ref) => {
      const { image, snapshot, sizeBytes } = await requireBackup(place, ref)
      const { pool, namespace } = place
      return { clusterId: await clusterIdOf(place), pool, namespace, image, snapshot, sizeBytes }
    },
    deleteBackup: (ref) => deleteBackup(place, ref),
    found: () => found(place),
    list: () => list(place),
  }
}

async function requireBackup(place: RbdPlace, ref: BackupRef): Promise<Located> {
  const found = await find(place, ref)
  if (found !== undefined) return found
  throw new DriverError(
    'notFound',
    `Expected backup ${ref.backupId} in pool ${place.pool}, it is not there. Delete its entry; another backup of the volume may be there.`,
  )
}

async function find(place: RbdPlace, ref: BackupRef): Promise<Located | undefined> {
  return (await findOurs(place, ref)) ?? findCinders(place, ref)
}

async function findOurs(place: RbdPlace, { backupId, volumeId }: BackupRef): Promise<Located | undefined> {
  const volumeIds = volumeId === undefined ? await listVolumeIds(place) : [volumeId]
  const name = backupSnapshot(backupId)
  for (const id of volumeIds) {
    const snapshots = (await ifThere(snapshotsOf(place, backupImage(id)))) ?? []
    const snapshot = snapshots.find((one) => one.name === name)
    if (snapshot !== undefined) return described(id, backupId, snapshot)
  }
  return undefined
}

async function deleteBackup(place: RbdPlace, ref: BackupRef): Promise<void> {
  const cinders = await findCinders(place, ref)
  if (cinders !== undefined) return removeCinders(place, cinders)
  await finishRemovals(place, ref)
  const volumeId = ref.volumeId ?? (await findOurs(place, ref))?.volumeId
  if (volumeId !== undefined) await removeBackup(place, backupImage(volumeId), ref.backupId)
}

async function* found(place: RbdPlace): ReturnType<BackupPool['found']> {
  const withSize = async (one: Located) => {
    const storedBytes = await ifThere(usedBytes(place, one.image, one.snapshot))
    return storedBytes === undefined ? [] : [{ ...one, storedBytes }]
  }
  for await (const one of list(place)) if ('backupId' in one) yield* await withSize(one)
  for await (const one of listCinders(place)) yield* await withSize(one)
}

async function* list(
  place: RbdPlace,
): AsyncGenerator<Located | { readonly empty: string; readonly volumeId: string }> {
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
  { name: snapshot, size: sizeBytes, timestamp }: SnapshotInfo,
): Located {
  const where = { image: backupImage(volumeId), snapshot }
  return { volumeId, backupId, parentBackupId: null, ...where, sizeBytes, madeAtMs: timeOf(timestamp) }
}

async function listVolumeIds(place: RbdPlace): Promise<string[]> {
  return (await listNames(place)).flatMap((name) => volumeIdOf(name) ?? [])
}
