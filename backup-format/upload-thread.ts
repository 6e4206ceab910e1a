import { workerData } from 'node:worker_threads'
import type { DeviceSpec } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { type ChunkUploadSetup, createChunkUpload } from './chunk-upload.ts'
import { serveTasks } from './serve-tasks.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

export interface UploadThreadData {
  readonly target: ThreadTarget
  readonly source: DeviceSpec
  readonly setup: ChunkUploadSetup
}

serveTasks(async () => {
  const { target: threadTarget, source, setup } = workerData as UploadThreadData
  const target = await openThreadTarget(threadTarget)
  const reader = await openReader(source)
  return {
    handle: createChunkUpload(reader, target, setup),
    close: async () => {
      await Promise.all([target.close(), reader.close()])
    },
  }
})
