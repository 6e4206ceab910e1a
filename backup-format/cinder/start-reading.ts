import { type Executor, inlineExecutor, threadExecutor } from '../executor.ts'
import { type ChunkRead, type ChunkReadSetup, createChunkRead } from './chunk-read.ts'
import { openSink, type SinkSpec } from './chunk-sink.ts'
import type { ReadThreadData } from './read-thread.ts'
import type { CinderStore, ThreadStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

export interface ReadingRequest {
  readonly into: SinkSpec
  readonly setup: ChunkReadSetup
  readonly signal: AbortSignal
  readonly threads: (ThreadStore & { readonly count: number }) | undefined
}

/** On threads of their own, or in this one. */
export async function startReading(
  store: CinderStore,
  { into, setup, signal, threads }: ReadingRequest,
): Promise<Executor<MapPart, ChunkRead>> {
  if (threads !== undefined) {
    const { count, ...threadStore } = threads
    const data: ReadThreadData = { store: threadStore, into, setup }
    return threadExecutor('cinder/read-thread', data, count)
  }
  const { sink, close } = await openSink(into)
  const read = createChunkRead(store, setup)
  const executor = inlineExecutor<MapPart, ChunkRead>((part, stop) => read(part, sink, stop), signal)
  return {
    ...executor,
    close: async () => {
      await executor.close()
      await close()
    },
  }
}
