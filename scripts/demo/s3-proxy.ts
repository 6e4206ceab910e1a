/** A proxy in front of S3 that counts what is uploaded, from outside the product, and can slow it down. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { listen } from '../ports.ts'

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
  readonly sumBytes: number
  readonly largestBytes: number
}

export async function startS3Proxy(upstream: string): Promise<S3Proxy> {
  const uploads = new Map<string, Upload>()
  const pace = new Pace()
  const server = createServer((incoming, answer) => {
    receive(incoming, uploads, pace)
      .then((body) => forward(upstream, incoming, body, answer))
      .catch(() => answer.destroy())
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

/**
 * The whole body, which is a chunk of a few MiB at most. Only then is it sent on: the server may refuse early and hang up, and its
 * refusal would be lost on whoever is still sending.
 */
async function receive(incoming: IncomingMessage, uploads: Map<string, Upload>, pace: Pace): Promise<Buffer> {
  const key = (incoming.url ?? '').split('?', 1)[0] ?? ''
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of incoming as AsyncIterable<Buffer>) {
    pieces.push(piece)
    bytes += piece.length
    if (incoming.method !== 'PUT') continue
    const { sumBytes, largestBytes } = uploads.get(key) ?? { sumBytes: 0, largestBytes: 0 }
    uploads.set(key, { sumBytes: sumBytes + piece.length, largestBytes: Math.max(largestBytes, bytes) })
    await pace.wait(piece.length)
  }
  return Buffer.concat(pieces)
}

/** The Host header stays as it is: the client has signed it. */
async function forward(
  upstream: string,
  incoming: IncomingMessage,
  body: Buffer,
  answer: ServerResponse,
): Promise<void> {
  // We have told the client to continue; the server behind us need not say so.
  const { expect: _, ...headers } = incoming.headers
  const outgoing = request(new URL(incoming.url ?? '/', upstream), { method: incoming.method, headers })
  // After its answer the server may hang up as it likes.
  outgoing.on('error', () => {})
  outgoing.end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  answer.writeHead(response.statusCode ?? 502, response.headers)
  await pipeline(response, answer)
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
