import type { DeviceSpec } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { openWriter } from '../block-io/writer.ts'
import { type ChunkDownloadSetup, createChunkDownload } from './chunk-download.ts'
import type { Keep } from './threads/messages.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

export interface RestoreThreadData {
  readonly target: ThreadTarget
  readonly destination: DeviceSpec
  /** Only what the destination does not hold yet is fetched. */
  readonly compare: boolean
  readonly setup: ChunkDownloadSetup
}

export async function open(
  { target: threadTarget, destination, compare, setup }: RestoreThreadData,
  keep: Keep,
) {
  const target = keep(await openThreadTarget(threadTarget))
  const writer = keep(await openWriter(destination))
  const present = compare ? keep(await openReader(destination)) : undefined
  return createChunkDownload({ writer, present }, target, setup)
}
