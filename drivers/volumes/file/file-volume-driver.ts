import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { OpenDevice } from '../../../block-io/device.ts'
import type { ClonePath, CompactRequest, InUse, SnapshotRef, VolumeDriver } from '../driver.ts'
import { checkSize } from '../sizes.ts'
import { attachVolume, detachVolume } from './attach.ts'
import { checkSizeIs, needChain, needNoWriter } from './checks.ts'
import { driverCalls, ifPresent } from './durable.ts'
import { changedRanges } from './changed-ranges.ts'
import { compactDirectory } from './compact.ts'
import { extendOnline, extendVolume } from './extend.ts'
import type { GuestPlace } from '../guest.ts'
import { type Chain, blockdevOf, repairLeaks } from './layers.ts'
import { isId } from './ids.ts'
import { fileVolumeInventory } from './inventory.ts'
import { type Layout, layoutOf, snapshotDirectory, snapshotOf, volumeDirectory } from './layout.ts'
import { manageVolume, unmanageVolume } from './manage.ts'
import { mergeOnline } from './online-merge.ts'
import { createOnlineSnapshot } from './online-snapshot.ts'
import { currentDirectory, removeWithNext, replaceByDirectory, withoutNext } from './replace.ts'
import { makeDirectory, removeDirectory } from './scratch.ts'
import { cloneSnapshot, createReflinkedSnapshot, createSnapshot, revertVolume } from './snapshots.ts'
import { writableChain } from './writable.ts'

/** One backend: what each of its calls works with. */
interface Place {
  readonly path: string
  readonly layout: Layout
  readonly guests: GuestPlace
  readonly reflink: boolean
  readonly asDriverCall: ReturnType<typeof driverCalls>
}

/** Volumes in a directory: reflinked raw files where the file system can, else raw files under qcow2 layers. */
export async function openFileVolumeDriver(
  path: string,
  guests: GuestPlace = { socketFolder: undefined },
): Promise<VolumeDriver> {
  const layout = layoutOf(path)
  const asDriverCall = driverCalls(Object.values<string>({ ...layout }))
  const reflink = await asDriverCall('open the backend directory', async () => {
    for (const directory of Object.values<string>({ ...layout })) {
      await mkdir(directory, { recursive: true })
    }
    return probeReflink(layout.scratch)
  })
  const place = { path, layout, guests, reflink, asDriverCall }
  return {
    kind: 'file',
    ...volumeCalls(place),
    ...snapshotCalls(place),
    ...guestCalls(place),
    ...backendCalls(place),
  }
}

function volumeCalls({ layout, asDriverCall }: Place) {
  return {
    createVolume: ({ volumeId, sizeBytes }) =>
      asDriverCall(`create volume ${volumeId}`, () => createVolume(layout, volumeId, sizeBytes)),
    manageVolume: (volume) =>
      asDriverCall(`manage volume ${volume.volumeId}`, () => manageVolume(layout, volume)),
    unmanageVolume: ({ volumeId }) =>
      asDriverCall(`unmanage volume ${volumeId}`, () => unmanageVolume(layout, volumeId)),
    deleteVolume: ({ volumeId }) =>
      asDriverCall(`delete volume ${volumeId}`, () =>
        deleteVolume(layout, volumeDirectory(layout, volumeId)),
      ),
    replaceVolume: ({ volumeId, contentId }) =>
      asDriverCall(`replace volume ${volumeId}`, async () => {
        const directory = volumeDirectory(layout, volumeId)
        await replaceByDirectory(layout.scratch, directory, volumeDirectory(layout, contentId))
        await needChain(directory, 'volume')
      }),
    openVolume: ({ volumeId, access }) =>
      asDriverCall(`open volume ${volumeId}`, () => openVolume(layout, volumeId, access)),
  } satisfies Partial<VolumeDriver>
}

function snapshotCalls({ layout, reflink, asDriverCall }: Place) {
  const path: ClonePath = reflink ? 'reflink' : 'qcow2-layer'
  return {
    deleteSnapshot: (ref) =>
      asDriverCall(`delete snapshot ${ref.snapshotId}`, () =>
        removeDirectory(layout.scratch, snapshotDirectory(layout, ref)),
      ),
    cloneSnapshot: (clone) =>
      asDriverCall(`clone snapshot ${clone.snapshotId}`, async () => {
        await cloneSnapshot(layout, clone, reflink)
        return { path }
      }),
    revertVolume: (revert) =>
      asDriverCall(`revert volume ${revert.volumeId}`, async () => {
        await revertVolume(layout, revert, reflink)
        return { path }
      }),
    changedRanges: (request) =>
      asDriverCall(`compare snapshot ${request.fromSnapshotId} with ${request.toSnapshotId}`, () =>
        changedRanges(layout, request, reflink),
      ),
    openSnapshot: (ref) =>
      asDriverCall(`open snapshot ${ref.snapshotId}`, async () =>
        opened(await needChain(snapshotDirectory(layout, ref), 'snapshot'), 'read'),
      ),
  } satisfies Partial<VolumeDriver>
}

/** What is done by the guest's qemu while a guest has the volume open. */
function guestCalls({ layout, guests, reflink, asDriverCall }: Place) {
  let last: Promise<unknown> = Promise.resolve()
  const compactVolume = ({ volumeId, guest, ...merging }: CompactRequest & InUse) =>
    asDriverCall(`merge the layers of volume ${volumeId}`, () => {
      if (guest !== undefined) return mergeOnline(layout, guests, { volumeId, guest, ...merging })
      const compact = async () => {
        const directory = await currentDirectory(volumeDirectory(layout, volumeId))
        return { mergedLayers: await compactDirectory(layout, directory, merging) }
      }
      // One at a time: see compact.ts.
      const turn = last.then(compact, compact)
      last = turn
      return turn
    })
  return {
    createSnapshot: ({ guest, ...ref }) =>
      asDriverCall(`create snapshot ${ref.snapshotId}`, () => {
        if (guest === undefined) return createSnapshot(layout, ref, reflink)
        if (reflink) return createReflinkedSnapshot(layout, ref)
        return createOnlineSnapshot(layout, guests, { ...ref, guest })
      }),
    extendVolume: ({ volumeId, sizeBytes, guest }) =>
      asDriverCall(`extend volume ${volumeId}`, () =>
        guest === undefined
          ? extendVolume(layout, volumeId, sizeBytes)
          : extendOnline(layout, guests, { volumeId, sizeBytes, guest }),
      ),
    attachVolume: (volume) =>
      asDriverCall(`attach volume ${volume.volumeId}`, async () => ({
        blockdev: await attachVolume(layout, guests, volume),
      })),
    detachVolume: ({ volumeId }) =>
      asDriverCall(`detach volume ${volumeId}`, () => detachVolume(layout, volumeId)),
    ...(reflink ? {} : { compactVolume }),
  } satisfies Partial<VolumeDriver>
}

function backendCalls({ path, layout, guests, reflink, asDriverCall }: Place) {
  const online = guests.socketFolder !== undefined
  return {
    capabilities: {
      clone: true,
      reflink,
      changedRanges: true,
      onlineSnapshot: online || reflink,
      onlineExtend: online,
    },
    inventory: fileVolumeInventory(layout),
    list: () => asDriverCall('list the backend', () => list(layout)),
    capacity: () =>
      asDriverCall('measure the backend', async () => {
        const { blocks, bavail, bsize } = await statfs(path)
        return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
      }),
  } satisfies Partial<VolumeDriver>
}

/** Asks the file system itself: can it share the blocks of two files? If not, it must at least know hard links. */
async function probeReflink(scratch: string): Promise<boolean> {
  const probe = join(scratch, `probe~${randomBytes(6).toString('hex')}`)
  try {
    await writeFile(probe, Buffer.alloc(4096, 1))
    await link(probe, `${probe}.link`)
    return await copyFile(probe, `${probe}.copy`, constants.COPYFILE_FICLONE_FORCE).then(
      () => true,
      () => false,
    )
  } finally {
    await Promise.all([probe, `${probe}.link`, `${probe}.copy`].map((file) => rm(file, { force: true })))
  }
}

async function createVolume(layout: Layout, volumeId: string, sizeBytes: number): Promise<void> {
  checkSize(sizeBytes)
  const directory = volumeDirectory(layout, volumeId)
  await makeDirectory(layout.scratch, directory, async (attempt) => {
    await using handle = await open(join(attempt, '0.raw'), 'wx')
    await handle.truncate(sizeBytes)
    await handle.sync()
  })
  await checkSizeIs(directory, sizeBytes)
}

/** Its directory may be broken: whatever is in it. */
async function deleteVolume(layout: Layout, directory: string): Promise<void> {
  const current = await currentDirectory(directory)
  const names = (await ifPresent(readdir(current))) ?? []
  await needNoWriter(
    current,
    names.map((name) => join(current, name)),
  )
  await removeWithNext(layout.scratch, directory)
}

async function openVolume(layout: Layout, volumeId: string, access: 'read' | 'write'): Promise<OpenDevice> {
  const directory = await currentDirectory(volumeDirectory(layout, volumeId))
  if (access === 'read') return opened(await needChain(directory, 'volume'), access)
  const chain = await writableChain(layout, directory)
  await repairLeaks(chain.top)
  return opened(chain, access)
}

/** Nothing runs and nothing is held for a device made of files: qemu's own locks are taken by whoever opens it. */
function opened({ layers, top, sizeBytes }: Chain, access: 'read' | 'write'): OpenDevice {
  const blockdev = blockdevOf(layers, access === 'read' ? 0 : 1)
  const device = { sizeBytes, blockdev, close: () => Promise.resolve() }
  return top.format === 'raw' ? { ...device, plainFile: top.path } : device
}

async function list(layout: Layout): Promise<{ volumeIds: string[]; snapshots: SnapshotRef[] }> {
  const snapshots = await readdir(layout.snapshots)
  return {
    volumeIds: [...new Set((await readdir(layout.volumes)).map(withoutNext))].filter(isId),
    snapshots: snapshots.flatMap((name) => snapshotOf(name) ?? []),
  }
}
