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

serveTasks(async ({ store: threadStore, source, setup }: UploadThreadData) => {
  const store = await openThreadStore(threadStore)
  const reader = await openReader(source)
  return { handle: createChunkUpload(reader, store, setup), opened: [store, reader] }
})
