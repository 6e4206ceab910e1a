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

serveTasks(async ({ store: threadStore, into, setup }: ReadThreadData) => {
  const store = await openThreadStore(threadStore)
  const { sink, close } = await openSink(into)
  const read = createChunkRead(store, setup)
  const handle = (part: MapPart, signal: AbortSignal) => read(part, sink, signal)
  return { handle, opened: [store, { close }] }
})
