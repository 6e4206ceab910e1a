/**
 * md5 and sha512 of bytes that stream through, off the main thread: at some 300 MiB/s for both, hashing an upload in the API's own
 * thread would hold up every other request. One thread per algorithm serves all streams of the process; both start with the first
 * stream and do not keep the process alive.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { DriverError } from '../domain/errors.ts'
import type { HashReply, HashRequest } from './hash-thread.ts'

export interface StreamHashes {
  /** Lower-case hex. */
  readonly md5: string
  readonly sha512: string
}

export interface StreamHasher {
  /** Resolves when the bytes have been read, so that their buffer (which must be a SharedArrayBuffer's) can be used again. */
  update(bytes: Uint8Array<SharedArrayBuffer>): Promise<void>
  /** Ends the stream. */
  digest(): Promise<StreamHashes>
  /** Ends the stream without a result; harmless after `digest`. */
  discard(): void
}

export function createStreamHasher(): StreamHasher {
  const [md5, sha512] = [hashThread('md5'), hashThread('sha512')]
  const streamId = nextStreamId++
  return {
    update: async (bytes) => {
      await Promise.all([
        md5.ask({ kind: 'update', streamId, bytes }),
        sha512.ask({ kind: 'update', streamId, bytes }),
      ])
    },
    digest: async () => {
      const request = { kind: 'digest', streamId } as const
      const [first, second] = await Promise.all([md5.ask(request), sha512.ask(request)])
      return { md5: first, sha512: second }
    },
    discard: () => {
      md5.tell({ kind: 'discard', streamId })
      sha512.tell({ kind: 'discard', streamId })
    },
  }
}

type Algorithm = 'md5' | 'sha512'

let nextStreamId = 0
const threads = new Map<Algorithm, HashThread>()

function hashThread(algorithm: Algorithm): HashThread {
  const running = threads.get(algorithm)
  if (running !== undefined) return running
  const thread = new HashThread(algorithm, () => threads.delete(algorithm))
  threads.set(algorithm, thread)
  return thread
}

class HashThread {
  readonly #worker: Worker
  readonly #waiting = new Map<number, PromiseWithResolvers<string>>()
  #nextRequestId = 0

  constructor(algorithm: Algorithm, onEnd: () => void) {
    this.#worker = new Worker(new URL(threadFile, import.meta.url), {
      workerData: algorithm,
      name: `hash ${algorithm}`,
    })
    this.#worker.unref()
    this.#worker.on('message', (reply: HashReply) => {
      this.#settle(reply.requestId)?.resolve(reply.digest)
    })
    void once(this.#worker, 'exit')
      .catch((error: unknown) => error)
      .then((reason) => {
        onEnd()
        for (const requestId of this.#waiting.keys()) {
          const error = new DriverError('transient', `Expected the ${algorithm} thread to run, it ended`, {
            cause: reason,
          })
          this.#settle(requestId)?.reject(error)
        }
      })
  }

  ask(request: HashRequest): Promise<string> {
    const requestId = this.#nextRequestId++
    const answer = Promise.withResolvers<string>()
    this.#waiting.set(requestId, answer)
    this.#worker.ref()
    this.#worker.postMessage({ ...request, requestId })
    return answer.promise
  }

  tell(request: HashRequest): void {
    this.#worker.postMessage({ ...request, requestId: -1 })
  }

  #settle(requestId: number): PromiseWithResolvers<string> | undefined {
    const answer = this.#waiting.get(requestId)
    this.#waiting.delete(requestId)
    if (this.#waiting.size === 0) this.#worker.unref()
    return answer
  }
}

/** Compiled code lies beside its compiled thread. */
const threadFile = import.meta.url.endsWith('.ts') ? './hash-thread.ts' : './hash-thread.js'
