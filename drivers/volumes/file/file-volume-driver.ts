import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { OpenDevice } from '../../../block-io/device.ts'
import type { CompactRequest, SnapshotRef, VolumeDriver } from '../driver.ts'
import { checkAtLeast, checkDepth, checkSize, checkSizeIs, needChain, needClosed } from './checks.ts'
import { driverCalls, syncPath } from './durable.ts'
import { changedRanges } from './changed-ranges.ts'
import { compactDirectory } from './compact.ts'
import { extendVolume } from './extend.ts'
import { type Chain, createOverlay, blockdevOf, repairLeaks, shareLayers } from './layers.ts'
import { isId } from './ids.ts'
import { fileVolumeInventory } from './inventory.ts'
import { type Layout, layoutOf, snapshotDirectory, snapshotOf, volumeDirectory } from './layout.ts'
import {
  currentDirectory,
  removeWithNext,
  replaceByDirectory,
  replaceDirectory,
  withoutNext,
} from './replace.ts'
import { makeDirectory, removeDirectory } from './scratch.ts'
import { writableChain } from './writable.ts'

/** Volumes in a directory: reflinked raw files where the file system can, else raw files under qcow2 layers. */
export async function openFileVolumeDriver(path: string): Promise<VolumeDriver> {
  const layout = layoutOf(path)
  const asDriverCall = callsOn(layout)
  const reflink = await asDriverCall('open the backend directory', async () => {
    for (const directory of Object.values<string>({ ...layout })) {
      await mkdir(directory, { recursive: true })
    }
    return probeReflink(layout.scratch)
  })
  return {
    kind: 'file',
    capabilities: { clone: true, reflink, changedRanges: true },
    createVolume: ({ volumeId, sizeBytes }) =>
      asDriverCall(`create volume ${volumeId}`, () => createVolume(layout, volumeId, sizeBytes)),
    deleteVolume: ({ volumeId }) =>
      asDriverCall(`delete volume ${volumeId}`, () =>
        removeWithNext(layout.scratch, volumeDirectory(layout, volumeId)),
      ),
    createSnapshot: (ref) =>
      asDriverCall(`create snapshot ${ref.snapshotId}`, () => createSnapshot(layout, ref, reflink)),
    deleteSnapshot: (ref) =>
      asDriverCall(`delete snapshot ${ref.snapshotId}`, () =>
        removeDirectory(layout.scratch, snapshotDirectory(layout, ref)),
      ),
    cloneSnapshot: (clone) =>
      asDriverCall(`clone snapshot ${clone.snapshotId}`, async () => {
        await cloneSnapshot(layout, clone, reflink)
        return { path: reflink ? 'reflink' : 'qcow2-layer' }
      }),
    extendVolume: ({ volumeId, sizeBytes }) =>
      asDriverCall(`extend volume ${volumeId}`, () => extendVolume(layout, volumeId, sizeBytes)),
    revertVolume: (revert) =>
      asDriverCall(`revert volume ${revert.volumeId}`, async () => {
        await revertVolume(layout, revert, reflink)
        return { path: reflink ? 'reflink' : 'qcow2-layer' }
      }),
    replaceVolume: ({ volumeId, contentId }) =>
      asDriverCall(`replace volume ${volumeId}`, async () => {
        const directory = volumeDirectory(layout, volumeId)
        await replaceByDirectory(layout.scratch, directory, volumeDirectory(layout, contentId))
        await needChain(directory, 'volume')
      }),
    openVolume: ({ volumeId, access }) =>
      asDriverCall(`open volume ${volumeId}`, () => openVolume(layout, volumeId, access)),
    openSnapshot: (ref) =>
      asDriverCall(`open snapshot ${ref.snapshotId}`, async () =>
        opened(await needChain(snapshotDirectory(layout, ref), 'snapshot'), 'read'),
      ),
    changedRanges: (request) =>
      asDriverCall(`compare snapshot ${request.fromSnapshotId} with ${request.toSnapshotId}`, () =>
        changedRanges(layout, request, reflink),
      ),
    ...(reflink ? {} : { compactVolume: compactionIn(layout) }),
    inventory: fileVolumeInventory(layout),
    list: () => asDriverCall('list the backend', () => list(layout)),
    capacity: () =>
      asDriverCall('measure the backend', async () => {
        const { blocks, bavail, bsize } = await statfs(path)
        return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
      }),
  }
}

function callsOn(layout: Layout): ReturnType<typeof driverCalls> {
  return driverCalls(Object.values<string>({ ...layout }))
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

function compactionIn(layout: Layout): (request: CompactRequest) => Promise<{ mergedLayers: number }> {
  const asDriverCall = callsOn(layout)
  let last: Promise<unknown> = Promise.resolve()
  return ({ volumeId, ...merging }) =>
    asDriverCall(`merge the layers of volume ${volumeId}`, () => {
      const compact = async () => {
        const directory = await currentDirectory(volumeDirectory(layout, volumeId))
        return { mergedLayers: await compactDirectory(layout, directory, merging) }
      }
      // One at a time: see compact.ts.
      const turn = last.then(compact, compact)
      last = turn
      return turn
    })
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

async function createSnapshot(layout: Layout, ref: SnapshotRef, reflink: boolean): Promise<void> {
  await makeDirectory(layout.scratch, snapshotDirectory(layout, ref), async (attempt) => {
    const chain = await needClosed(await currentDirectory(volumeDirectory(layout, ref.volumeId)))
    if (!reflink) checkDepth(chain, ref.volumeId)
    await syncPath(chain.top.path)
    await shareLayers(chain, attempt, reflink)
  })
}

async function cloneSnapshot(
  layout: Layout,
  { newVolumeId, sizeBytes, ...ref }: SnapshotRef & { newVolumeId: string; sizeBytes: number },
  reflink: boolean,
): Promise<void> {
  checkSize(sizeBytes)
  const snapshot = snapshotDirectory(layout, ref)
  const directory = volumeDirectory(layout, newVolumeId)
  await makeDirectory(layout.scratch, directory, (attempt) =>
    shareSnapshot(snapshot, attempt, sizeBytes, reflink),
  )
  await checkSizeIs(directory, sizeBytes)
}

async function revertVolume(
  layout: Layout,
  { sizeBytes, ...ref }: SnapshotRef & { sizeBytes: number },
  reflink: boolean,
): Promise<void> {
  checkSize(sizeBytes)
  const snapshot = snapshotDirectory(layout, ref)
  const directory = volumeDirectory(layout, ref.volumeId)
  await needClosed(await currentDirectory(directory))
  await replaceDirectory(layout.scratch, directory, (attempt) =>
    shareSnapshot(snapshot, attempt, sizeBytes, reflink),
  )
}

/** Fills a volume's directory with the snapshot's layers, and zeroes behind them. */
async function shareSnapshot(
  snapshot: string,
  directory: string,
  sizeBytes: number,
  reflink: boolean,
): Promise<void> {
  const chain = await needChain(snapshot, 'snapshot')
  checkAtLeast(sizeBytes, { what: 'snapshot', sizeBytes: chain.sizeBytes })
  await shareLayers(chain, directory, reflink)
  if (sizeBytes > chain.sizeBytes) await grow(directory, chain, sizeBytes, reflink)
}

async function grow(directory: string, { top }: Chain, sizeBytes: number, reflink: boolean): Promise<void> {
  if (!reflink || top.format !== 'raw') {
    await createOverlay(directory, top, sizeBytes)
    return
  }
  const copy = join(directory, basename(top.path))
  await truncate(copy, sizeBytes)
  await syncPath(copy)
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
