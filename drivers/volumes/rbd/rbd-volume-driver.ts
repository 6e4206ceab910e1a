import { tmpdir } from 'node:os'
import type { ClonePath, SnapshotRef, VolumeDriver } from '../driver.ts'
import { type GuestPlace, nodeNameOf } from '../guest.ts'
import { changedRanges } from './changed-ranges.ts'
import { hasStatus, rbd, STATUS } from './commands.ts'
import { connectionInfoOf } from './connection.ts'
import { copyStoredImage } from './copy.ts'
import { cloneSnapshot, cloneStoredImage, createVolume, extendVolume, reachesImage } from './create.ts'
import { exportDiff } from './export-diff.ts'
import { flattenVolume } from './flatten.ts'
import { currentImage, listImages, snapshotsOf } from './images.ts'
import { rbdVolumeInventory } from './inventory.ts'
import { manageVolume, unmanageVolume } from './manage.ts'
import { snapshotIdOf, snapshotName, volumeImage } from './names.ts'
import { extendOnline } from './online-extend.ts'
import { openSnapshot, openToRead, openToWrite } from './open.ts'
import { blockdevOf, openPlace, type RbdConfig, type RbdPlace, specOf } from './place.ts'
import { deleteSnapshot, deleteVolume, sweepTrash } from './remove.ts'
import { replaceVolume, revertVolume } from './replace.ts'
import { capacityOf } from './usage.ts'
import { claimAlone, claimImage, fenceWriter } from './writers.ts'

const path: ClonePath = 'rbd-clone'

/** Volumes as images of a Ceph pool, under the names that Cinder gives them. */
export async function openRbdVolumeDriver(
  config: RbdConfig,
  socketDirectory: string = tmpdir(),
): Promise<VolumeDriver> {
  const place = await openPlace(config)
  const guests = { socketFolder: config.guestSockets }
  return {
    kind: 'rbd',
    capabilities: {
      clone: true,
      reflink: false,
      changedRanges: true,
      onlineSnapshot: true,
      onlineExtend: guests.socketFolder !== undefined,
    },
    ...volumeCalls(place, guests, socketDirectory),
    ...snapshotCalls(place),
    inventory: rbdVolumeInventory(place),
    sweep: () => sweepTrash(place),
    list: () => list(place),
    capacity: () => capacityOf(place),
  }
}

function volumeCalls(place: RbdPlace, guests: GuestPlace, socketDirectory: string) {
  return {
    createVolume: (volume) => createVolume(place, volume),
    manageVolume: (volume) => manageVolume(place, volume),
    unmanageVolume: ({ volumeId }) => unmanageVolume(place, volumeId),
    deleteVolume: ({ volumeId }) => deleteVolume(place, volumeId),
    reachesImage: (source) => reachesImage(place, source),
    cloneImage: async (clone) => ((await cloneStoredImage(place, clone)) ? { path } : undefined),
    copyImage: (copy) => copyStoredImage(place, copy),
    extendVolume: ({ guest, ...volume }) =>
      guest === undefined ? extendVolume(place, volume) : extendOnline(place, guests, { ...volume, guest }),
    flattenVolume: (volume) => flattenVolume(place, volume),
    replaceVolume: (volume) => replaceVolume(place, volume),
    openVolume: ({ volumeId, access }) =>
      access === 'read' ? openToRead(place, volumeId) : openToWrite(place, volumeId, socketDirectory),
    attachVolume: async ({ volumeId, guest }) => {
      const { name } = await currentImage(place, volumeId)
      await (guest === undefined ? claimImage(place, name) : fenceWriter(place, name))
      const blockdev = { driver: 'raw', 'node-name': nodeNameOf(volumeId), file: blockdevOf(place, name) }
      return { blockdev, connectionInfo: await connectionInfoOf(place, volumeId, name) }
    },
    detachVolume: async ({ volumeId }) => claimAlone(place, (await currentImage(place, volumeId)).name),
  } satisfies Partial<VolumeDriver>
}

function snapshotCalls(place: RbdPlace) {
  return {
    createSnapshot: async ({ volumeId, snapshotId, guest }) => {
      const snapshot = snapshotName(snapshotId)
      volumeImage(volumeId)
      const { name } = await currentImage(place, volumeId)
      // A guest's own client is asked by the cluster to write out what it was told to flush.
      if (guest === undefined) await claimImage(place, name)
      await createSnapshot(place, name, snapshot)
    },
    deleteSnapshot: (ref) => deleteSnapshot(place, ref),
    cloneSnapshot: async (clone) => {
      await cloneSnapshot(place, clone)
      return { path }
    },
    revertVolume: async (revert) => {
      await revertVolume(place, revert)
      return { path }
    },
    openSnapshot: (ref) => openSnapshot(place, ref),
    changedRanges: (request) => changedRanges(place, request),
    exportDiff: (request) => exportDiff(place, request),
  } satisfies Partial<VolumeDriver>
}

async function createSnapshot(place: RbdPlace, image: string, snapshot: string): Promise<void> {
  try {
    await rbd(place, ['snap', 'create', '--no-progress', specOf(place, image, snapshot)])
  } catch (error) {
    if (!hasStatus(error, STATUS.exists)) throw error
  }
}

async function list(place: RbdPlace): Promise<{ volumeIds: string[]; snapshots: SnapshotRef[] }> {
  const images = await listImages(place)
  const snapshots: SnapshotRef[] = []
  for (const { name, volumeId } of images) {
    for (const snapshot of await snapshotsOf(place, name)) {
      const snapshotId = snapshotIdOf(snapshot.name)
      if (snapshotId !== undefined) snapshots.push({ volumeId, snapshotId })
    }
  }
  return {
    volumeIds: images.filter(({ state }) => state === 'volume').map(({ volumeId }) => volumeId),
    snapshots,
  }
}
