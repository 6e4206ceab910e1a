import { truncate } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { SnapshotRef } from '../driver.ts'
import { checkAtLeast, checkSize } from '../sizes.ts'
import { checkDepth, checkSizeIs, needChain, needClosed } from './checks.ts'
import { syncPath } from './durable.ts'
import { type Chain, createOverlay, shareLayers } from './layers.ts'
import { type Layout, snapshotDirectory, volumeDirectory } from './layout.ts'
import { currentDirectory, replaceDirectory } from './replace.ts'
import { makeDirectory } from './scratch.ts'

/** Of a volume that nobody has open. */
export function createSnapshot(layout: Layout, ref: SnapshotRef, reflink: boolean): Promise<void> {
  return makeDirectory(layout.scratch, snapshotDirectory(layout, ref), async (attempt) => {
    const chain = await needClosed(await currentDirectory(volumeDirectory(layout, ref.volumeId)))
    if (!reflink) checkDepth(chain, ref.volumeId)
    await syncPath(chain.top.path)
    await shareLayers(chain, attempt, reflink)
  })
}

/**
 * Of a volume that may be written meanwhile. FICLONE holds the file's lock, as each write(2) does: the copy has all writes that had
 * returned, and none by half. So it is what the guest would find after a power cut, and the guest need not be asked. This holds for
 * one file at a time, so the volume must be one.
 */
export function createReflinkedSnapshot(layout: Layout, ref: SnapshotRef): Promise<void> {
  return makeDirectory(layout.scratch, snapshotDirectory(layout, ref), async (attempt) => {
    const directory = await currentDirectory(volumeDirectory(layout, ref.volumeId))
    const chain = await needChain(directory, 'volume')
    if (chain.layers.length > 1) await needClosed(directory)
    await shareLayers(chain, attempt, true)
  })
}

export async function cloneSnapshot(
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

export async function revertVolume(
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
