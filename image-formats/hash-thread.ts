/** The thread behind hashing.ts: one algorithm, many streams. */
import { createHash, type Hash } from 'node:crypto'
import { parentPort, workerData } from 'node:worker_threads'

export type HashRequest =
  | { readonly kind: 'update'; readonly streamId: number; readonly bytes: Uint8Array<SharedArrayBuffer> }
  | { readonly kind: 'digest'; readonly streamId: number }
  | { readonly kind: 'discard'; readonly streamId: number }

export interface HashReply {
  readonly requestId: number
  /** Empty but for `digest`. */
  readonly digest: string
}

const streams = new Map<number, Hash>()

parentPort?.on('message', (request: HashRequest & { requestId: number }) => {
  const digest = handle(request)
  if (request.requestId >= 0)
    parentPort?.postMessage({ requestId: request.requestId, digest } satisfies HashReply)
})

function handle(request: HashRequest): string {
  const hash = streams.get(request.streamId) ?? createHash(String(workerData))
  if (request.kind === 'update') {
    streams.set(request.streamId, hash.update(request.bytes))
    return ''
  }
  streams.delete(request.streamId)
  return request.kind === 'digest' ? hash.digest('hex') : ''
}
