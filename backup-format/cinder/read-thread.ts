import { workerData } from 'node:worker_threads'
import { serveTasks } from '../serve-tasks.ts'
import { type ChunkReadSetup, createChunkRead } from './chunk-read.ts'
import { openSink, type SinkSpec } from './chunk-sink.ts'
import { openThreadStore, type ThreadStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

export interface ReadThreadData {
  readonly store: ThreadStore
  readonly into: SinkSpec
  readonly setup: ChunkReadSetup
}

serveTasks(async () => {
  const { store: threadStore, into, setup } = workerData as ReadThreadData
  const store = await openThreadStore(threadStore)
  const { sink, close } = await openSink(into)
  const read = createChunkRead(store, setup)
  return {
    handle: (part: MapPart, signal: AbortSignal) => read(part, sink, signal),
    close: async () => {
      await Promise.all([store.close(), close()])
    },
  }
})
