/** A proxy in front of S3 that counts what is uploaded, from outside the product, and can slow it down. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen } from './servers.ts'

export interface S3Proxy {
  readonly endpoint: string
  /** Bytes of PUT bodies that came in, broken requests included. */
  uploadedBytes(): number
  /** Of these, what came in for an object once more. */
  repeatedBytes(): number
  /** Undefined: as fast as it goes. */
  limitUploads(bytesPerSecond: number | undefined): void
  stop(): Promise<void>
}

interface Upload {
  sumBytes: number
  largestBytes: number
}

export async function startS3Proxy(upstream: string): Promise<S3Proxy> {
  const uploads = new Map<string, Upload>()
  const pace = new Pace()
  const server = createServer((incoming, answer) => {
    const body = incoming.method === 'PUT' ? counted(incoming, uploads, pace) : incoming
    forward(upstream, incoming, body, answer).catch(() => answer.destroy())
  })
  const endpoint = `http://127.0.0.1:${await listen(server)}`
  return {
    endpoint,
    uploadedBytes: () => sum(uploads, ({ sumBytes }) => sumBytes),
    repeatedBytes: () => sum(uploads, ({ sumBytes, largestBytes }) => sumBytes - largestBytes),
    limitUploads: (bytesPerSecond) => {
      pace.bytesPerSecond = bytesPerSecond
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The Host header stays as it is: the client has signed it. */
async function forward(
  upstream: string,
  incoming: IncomingMessage,
  body: Readable,
  answer: ServerResponse,
): Promise<void> {
  // We have told the client to continue; the server behind us is told nothing about it.
  const { expect: _, ...headers } = incoming.headers
  const outgoing = request(new URL(incoming.url ?? '/', upstream), { method: incoming.method, headers })
  const { promise: answered, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  outgoing.once('response', resolve).once('error', reject)
  // A refusal may come before the whole body was sent: then the answer counts, not the broken pipe.
  const sent = pipeline(body, outgoing)
  sent.catch(reject)
  const response = await answered
  answer.writeHead(response.statusCode ?? 502, response.headers)
  await pipeline(response, answer)
}

function counted(incoming: IncomingMessage, uploads: Map<string, Upload>, pace: Pace): Readable {
  const key = (incoming.url ?? '').split('?', 1)[0] ?? ''
  const upload = uploads.get(key) ?? { sumBytes: 0, largestBytes: 0 }
  uploads.set(key, upload)
  return Readable.from(
    (async function* () {
      let bytes = 0
      for await (const piece of incoming as AsyncIterable<Buffer>) {
        bytes += piece.length
        upload.sumBytes += piece.length
        upload.largestBytes = Math.max(upload.largestBytes, bytes)
        await pace.wait(piece.length)
        yield piece
      }
    })(),
  )
}

/** One line for all requests: each waits until those before it would have gone through. */
class Pace {
  bytesPerSecond: number | undefined
  #freeAtMs = 0

  async wait(bytes: number): Promise<void> {
    if (this.bytesPerSecond === undefined) return
    this.#freeAtMs = Math.max(this.#freeAtMs, performance.now()) + (bytes / this.bytesPerSecond) * 1000
    await sleep(Math.max(0, this.#freeAtMs - performance.now()))
  }
}

function sum(uploads: Map<string, Upload>, bytesOf: (upload: Upload) => number): number {
  return uploads.values().reduce((total, upload) => total + bytesOf(upload), 0)
}
