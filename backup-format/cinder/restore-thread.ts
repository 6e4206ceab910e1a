import { workerData } from 'node:worker_threads'
import type { DeviceSpec } from '../../block-io/device.ts'
import { openWriter } from '../../block-io/writer.ts'
import { serveTasks } from '../serve-tasks.ts'
import { type ChunkRestoreSetup, createChunkRestore } from './chunk-restore.ts'
import { openThreadStore, type ThreadStore } from './store.ts'

export interface RestoreThreadData {
  readonly store: ThreadStore
  readonly destination: DeviceSpec | undefined
  readonly setup: ChunkRestoreSetup
}

serveTasks(async () => {
  const { store: threadStore, destination, setup } = workerData as RestoreThreadData
  const store = await openThreadStore(threadStore)
  const writer = destination === undefined ? undefined : await openWriter(destination)
  return {
    handle: createChunkRestore(store, writer, setup),
    close: async () => {
      await Promise.all([store.close(), writer?.close()])
    },
  }
})
