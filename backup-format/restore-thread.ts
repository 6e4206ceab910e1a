import type { DeviceSpec } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { openWriter } from '../block-io/writer.ts'
import { type ChunkDownloadSetup, createChunkDownload } from './chunk-download.ts'
import { serveTasks } from './serve-tasks.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

export interface RestoreThreadData {
  readonly target: ThreadTarget
  readonly destination: DeviceSpec
  /** Only what the destination does not hold yet is fetched. */
  readonly compare: boolean
  readonly setup: ChunkDownloadSetup
}

serveTasks(async ({ target: threadTarget, destination, compare, setup }: RestoreThreadData) => {
  const target = await openThreadTarget(threadTarget)
  const writer = await openWriter(destination)
  const present = compare ? await openReader(destination) : undefined
  const opened = present === undefined ? [target, writer] : [target, writer, present]
  return { handle: createChunkDownload({ writer, present }, target, setup), opened }
})
