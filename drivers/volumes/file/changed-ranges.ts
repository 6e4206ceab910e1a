import type { ByteRange } from '../../../block-io/device.ts'
import { DriverError } from '../../../domain/errors.ts'
import type { ChangedRanges, ChangedRequest } from '../driver.ts'
import { changedBlocks } from './changed-blocks.ts'
import { changedLayers } from './changed-layers.ts'
import { needChain } from './checks.ts'
import { type Layout, snapshotDirectory } from './layout.ts'

/** What two snapshots do not share, layers or the blocks of their files, is what changed. */
export async function changedRanges(
  layout: Layout,
  { volumeId, fromSnapshotId, toSnapshotId, signal }: ChangedRequest,
  reflink: boolean,
): Promise<ChangedRanges> {
  const from = snapshotDirectory(layout, { volumeId, snapshotId: fromSnapshotId })
  const to = snapshotDirectory(layout, { volumeId, snapshotId: toSnapshotId })
  const { sizeBytes: oldSizeBytes } = await needChain(from, 'snapshot')
  const { sizeBytes } = await needChain(to, 'snapshot')
  const compare = reflink ? changedBlocks : changedLayers
  const changed = await compare(from, to, signal).catch((error: unknown) => {
    signal?.throwIfAborted()
    // Slower than knowing, but never wrong.
    if (error instanceof DriverError) return { unknown: error.message }
    throw error
  })
  if ('unknown' in changed) return changed
  return { ranges: [...changed.ranges, ...tail(oldSizeBytes, sizeBytes)] }
}

function tail(oldSizeBytes: number, sizeBytes: number): ByteRange[] {
  return sizeBytes > oldSizeBytes ? [{ offset: oldSizeBytes, length: sizeBytes - oldSizeBytes }] : []
}
