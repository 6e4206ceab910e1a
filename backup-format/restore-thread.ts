import { workerData } from 'node:worker_threads'
import { openWriter } from '../block-io/writer.ts'
import { type ChunkDownloadSetup, createChunkDownload } from './chunk-download.ts'
import type { WriterSpec } from './destination.ts'
import { serveTasks } from './serve-tasks.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

export interface RestoreThreadData {
  readonly target: ThreadTarget
  readonly destination: WriterSpec
  readonly setup: ChunkDownloadSetup
}

serveTasks(async () => {
  const { target: threadTarget, destination, setup } = workerData as RestoreThreadData
  const target = await openThreadTarget(threadTarget)
  const writer = await openWriter(destination)
  return {
    handle: createChunkDownload(writer, target, setup),
    close: async () => {
      await Promise.all([target.close(), writer.close()])
    },
  }
})
