import { type ChunkReadSetup, createChunkRead } from './chunk-read.ts'
import { openSink, type SinkSpec } from './chunk-sink.ts'
import type { Keep } from '../threads/messages.ts'
import { openThreadStore, type ThreadStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

export interface ReadThreadData {
  readonly store: ThreadStore
  readonly into: SinkSpec
  readonly setup: ChunkReadSetup
}

export async function open({ store: threadStore, into, setup }: ReadThreadData, keep: Keep) {
  const store = keep(await openThreadStore(threadStore))
  const { sink } = keep(await openSink(into))
  const read = createChunkRead(store, setup)
  return (part: MapPart, signal: AbortSignal) => read(part, sink, signal)
}
