import type { DeviceSpec } from '../../block-io/device.ts'
import { openReader } from '../../block-io/reader.ts'
import type { Keep } from '../threads/messages.ts'
import { type ChunkUploadSetup, createChunkUpload } from './chunk-upload.ts'
import { openThreadStore, type ThreadStore } from './store.ts'

export interface UploadThreadData {
  readonly store: ThreadStore
  readonly source: DeviceSpec
  readonly setup: ChunkUploadSetup
}

export async function open({ store: threadStore, source, setup }: UploadThreadData, keep: Keep) {
  const store = keep(await openThreadStore(threadStore))
  const reader = keep(await openReader(source))
  return createChunkUpload(reader, store, setup)
}
