import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { copyFile, link, mkdir, open, readdir, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { OpenDevice } from '../../../block-io/device.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { formatBytes } from '../../../domain/sizes.ts'
import type { SnapshotRef, VolumeDriver } from '../driver.ts'
import { asDriverCall, errorCode, syncPath } from './durable.ts'
import { compactDirectory } from './compact.ts'
import { type Chain, createOverlay, blockdevOf, readChain, shareLayers } from './layers.ts'
import { isId } from './ids.ts'
import { fileVolumeInventory } from './inventory.ts'
import { type Layout, layoutOf, snapshotDirectory, snapshotOf, volumeDirectory } from './layout.ts'
import { clearScratch, makeDirectory, removeDirectory, withAttempt } from './scratch.ts'
import { isOpenForWriting } from './writers.ts'

/** Volumes in a directory: reflinked raw files where the file system can, else raw files under qcow2 layers. */
export async function openFileVolumeDriver(path: string): Promise<VolumeDriver> {
  const layout = layoutOf(path)
  const reflink = await asDriverCall('open the backend directory', async () => {
    for (const directory of Object.values<string>({ ...layout })) {
      await mkdir(directory, { recursive: true })
    }
    return probeReflink(layout.scratch)
  })
  let compacting = Promise.resolve()
  return {
    kind: 'file',
    capabilities: { clone: true, reflink },
    createVolume: ({ volumeId, sizeBytes }) =>
      asDriverCall(`create volume ${volumeId}`, () => createVolume(layout, volumeId, sizeBytes)),
    deleteVolume: ({ volumeId }) =>
      asDriverCall(`delete volume ${volumeId}`, () =>
        removeDirectory(layout.scratch, volumeDirectory(layout, volumeId)),
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
    openVolume: ({ volumeId, access }) =>
      asDriverCall(`open volume ${volumeId}`, () => openVolume(layout, volumeId, access)),
    openSnapshot: (ref) =>
      asDriverCall(`open snapshot ${ref.snapshotId}`, async () =>
        opened(await needChain(snapshotDirectory(layout, ref), 'snapshot'), 'read'),
      ),
    compactVolume: ({ volumeId, signal }) =>
      asDriverCall(`merge the layers of volume ${volumeId}`, () => {
        const compact = () => compactDirectory(layout, volumeDirectory(layout, volumeId), signal)
        // One at a time: see compact.ts.
        compacting = compacting.then(compact, compact)
        return compacting
      }),
    inventory: fileVolumeInventory(layout),
    list: () => asDriverCall('list the backend', () => list(layout)),
    capacity: () =>
      asDriverCall('measure the backend', async () => {
        const { blocks, bavail, bsize } = await statfs(path)
        return { totalBytes: blocks * bsize, freeBytes: bavail * bsize }
      }),
  }
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

async function createSnapshot(layout: Layout, ref: SnapshotRef, reflink: boolean): Promise<void> {
  const volume = volumeDirectory(layout, ref.volumeId)
  await makeDirectory(layout.scratch, snapshotDirectory(layout, ref), async (attempt) => {
    const chain = await needChain(volume, 'volume')
    if (await isOpenForWriting(chain.top.path)) {
      throw new DriverError(
        'busy',
        `Expected volume ${ref.volumeId} to be closed, got one that another process has open for writing`,
      )
    }
    if (!reflink) checkDepth(chain, ref.volumeId)
    await syncPath(chain.top.path)
    await shareLayers(chain, attempt, reflink)
  })
}

/** The next write after the snapshot needs one layer more. */
function checkDepth(chain: Chain, volumeId: string): void {
  if (chain.layers.length < LIMITS.layerDepthMax) return
  throw new DriverError(
    'unsupported',
    `Expected volume ${volumeId} to have fewer than ${LIMITS.layerDepthMax} layers, got ${chain.layers.length}: ` +
      'delete snapshots of it that are not needed, or copy it to a new volume',
  )
}

async function cloneSnapshot(
  layout: Layout,
  { newVolumeId, sizeBytes, ...ref }: SnapshotRef & { newVolumeId: string; sizeBytes: number },
  reflink: boolean,
): Promise<void> {
  checkSize(sizeBytes)
  const snapshot = snapshotDirectory(layout, ref)
  const directory = volumeDirectory(layout, newVolumeId)
  await makeDirectory(layout.scratch, directory, async (attempt) => {
    const chain = await needChain(snapshot, 'snapshot')
    if (sizeBytes < chain.sizeBytes) {
      throw new DriverError(
        'invalid',
        `Expected the new volume to be at least as large as its snapshot (${formatBytes(chain.sizeBytes)}), ` +
          `got ${formatBytes(sizeBytes)}`,
      )
    }
    await shareLayers(chain, attempt, reflink)
    if (sizeBytes > chain.sizeBytes) await grow(attempt, chain, sizeBytes, reflink)
  })
  await checkSizeIs(directory, sizeBytes)
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
  const directory = volumeDirectory(layout, volumeId)
  if (access === 'read') return opened(await needChain(directory, 'volume'), access)
  await clearScratch(layout.scratch, directory)
  const chain = await needChain(directory, 'volume')
  if (!chain.frozen) return opened(chain, access)
  await withAttempt(layout.scratch, directory, async (attempt) => {
    const overlay = await createOverlay(attempt, chain.top, chain.sizeBytes)
    // Not rename: if another attempt has put an overlay there and written to it, it must stay.
    await link(overlay, join(directory, basename(overlay))).catch((error: unknown) => {
      if (errorCode(error) !== 'EEXIST') throw error
    })
  })
  await syncPath(directory)
  return opened(await needChain(directory, 'volume'), access)
}

/** Nothing runs and nothing is held for a device made of files: qemu's own locks are taken by whoever opens it. */
function opened({ layers, top, sizeBytes }: Chain, access: 'read' | 'write'): OpenDevice {
  const blockdev = blockdevOf(layers, access === 'read' ? 0 : 1)
  const device = { sizeBytes, blockdev, close: () => Promise.resolve() }
  return top.format === 'raw' ? { ...device, plainFile: top.path } : device
}

async function needChain(directory: string, what: 'volume' | 'snapshot'): Promise<Chain> {
  const chain = await readChain(directory)
  if (chain !== undefined) return chain
  throw new DriverError('notFound', `Expected ${what} ${basename(directory)} to exist, it does not`)
}

function checkSize(sizeBytes: number): void {
  const { volumeSizeUnitBytes, volumeSizeMaxBytes } = LIMITS
  if (sizeBytes > 0 && sizeBytes <= volumeSizeMaxBytes && sizeBytes % volumeSizeUnitBytes === 0) return
  throw new DriverError(
    'invalid',
    `Expected a volume of whole MiB, at most ${formatBytes(volumeSizeMaxBytes)}, got ${sizeBytes} bytes`,
  )
}

async function checkSizeIs(directory: string, sizeBytes: number): Promise<void> {
  const chain = await needChain(directory, 'volume')
  if (chain.sizeBytes === sizeBytes) return
  const [wanted, found] = [formatBytes(sizeBytes), formatBytes(chain.sizeBytes)]
  throw new DriverError('invalid', `Expected volume ${basename(directory)} to have ${wanted}, got ${found}`)
}

async function list(layout: Layout): Promise<{ volumeIds: string[]; snapshots: SnapshotRef[] }> {
  const snapshots = await readdir(layout.snapshots)
  return {
    volumeIds: (await readdir(layout.volumes)).filter(isId),
    snapshots: snapshots.flatMap((name) => snapshotOf(name) ?? []),
  }
}
