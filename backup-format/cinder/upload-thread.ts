import { workerData } from 'node:worker_threads'
import type { DeviceSpec } from '../../block-io/device.ts'
import { openReader } from '../../block-io/reader.ts'
import { serveTasks } from '../serve-tasks.ts'
import { type ChunkUploadSetup, createChunkUpload } from './chunk-upload.ts'
import { openThreadStore, type ThreadStore } from './store.ts'

export interface UploadThreadData {
  readonly store: ThreadStore
  readonly source: DeviceSpec
  readonly setup: ChunkUploadSetup
}

serveTasks(async () => {
  const { store: threadStore, source, setup } = workerData as UploadThreadData
  const store = await openThreadStore(threadStore)
  const reader = await openReader(source)
  return {
    handle: createChunkUpload(reader, store, setup),
    close: async () => {
      await Promise.all([store.close(), reader.close()])
    },
  }
})
