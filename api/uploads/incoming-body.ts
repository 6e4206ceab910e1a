import type { IncomingMessage } from 'node:http'
import { Transform } from 'node:stream'
import { formatBytes } from '../../domain/sizes.ts'
import { HttpError } from '../http-error.ts'

/**
 * The body of a request as a stream that can be destroyed without the connection going with it: so a refused client gets an answer
 * instead of a reset. It fails with the HttpError to answer with when the request ends early or has too many bytes.
 */
export class IncomingBody extends Transform {
  readonly #message: IncomingMessage
  readonly #sizeMaxBytes: number
  #sizeBytes = 0

  constructor(message: IncomingMessage, sizeMaxBytes: number) {
    super()
    this.#message = message
    this.#sizeMaxBytes = sizeMaxBytes
    message.on('error', () => this.destroy(truncated()))
    message.once('close', () => {
      if (!message.complete) this.destroy(truncated())
    })
    // The consumer learns of errors; if it is gone already, nobody needs to.
    this.on('error', () => undefined)
    message.pipe(this)
  }

  /** Bytes that have come so far. */
  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** The client has done its part for now: what takes time is our own disk. */
  get isAheadOfUs(): boolean {
    return this.#message.complete || this.writableNeedDrain
  }

  override _transform(
    chunk: Buffer,
    _encoding: BufferEncoding,
    done: (error?: Error, chunk?: Buffer) => void,
  ): void {
    this.#sizeBytes += chunk.length
    if (this.#sizeBytes > this.#sizeMaxBytes) done(tooLarge(this.#sizeMaxBytes))
    else done(undefined, chunk)
  }
}

export function tooLarge(sizeMaxBytes: number): HttpError {
  return new HttpError(
    413,
    'imageTooLarge',
    `Expected an image of at most ${formatBytes(sizeMaxBytes)}, got more.`,
  )
}

function truncated(): HttpError {
  return new HttpError(400, 'uploadTruncated', 'The upload ended before all bytes had arrived. Upload again.')
}
