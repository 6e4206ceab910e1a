/**
 * A small NBD client for unix sockets: pipelined, bounded, and suspicious of what the server sends, since the server may be
 * reading a user's image. Works in any thread; one client is one connection.
 */
import { connect, type Socket } from 'node:net'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Extent } from '../device.ts'
import { type ExportInfo, handshake, type Parser } from './handshake.ts'
import { COMMAND, type Command, encodeRequest, protocolError } from './protocol.ts'
import { parseReplies, type PendingRequest } from './replies.ts'

export interface NbdClientOptions {
  readonly socketPath: string
  readonly exportName: string
  readonly requestsInFlight?: number
  /** Without a byte from the server for this long, while something is asked of it, the connection is given up. */
  readonly stallMs?: number
}

interface Waiting extends PendingRequest {
  resolve(extents: Extent[]): void
  reject(error: DriverError): void
}

export class NbdClient {
  readonly info: ExportInfo
  readonly #socket: ReplySocket

  private constructor(info: ExportInfo, socket: ReplySocket) {
    this.info = info
    this.#socket = socket
  }

  /** Throws DriverError `transient` when there is no usable server, `notFound` when it lacks the export. */
  static async connect(options: NbdClientOptions): Promise<NbdClient> {
    const socket = new ReplySocket(options)
    return new NbdClient(await socket.ready, socket)
  }

  /** Fills the buffer. At most LIMITS.nbdRequestBytes. */
  async read(buffer: Uint8Array, offset: number): Promise<void> {
    await this.#socket.request(COMMAND.read, offset, buffer.length, { buffer })
  }

  async write(payload: Uint8Array, offset: number): Promise<void> {
    await this.#socket.request(COMMAND.write, offset, payload.length, { payload })
  }

  /** The server may make a hole, and must answer zeroes afterwards. */
  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.#socket.request(COMMAND.writeZeroes, offset, length)
  }

  async flush(): Promise<void> {
    await this.#socket.request(COMMAND.flush, 0, 0)
  }

  /** Extents from `offset` on, at least one; the server may answer for less than `length`. */
  blockStatus(offset: number, length: number): Promise<Extent[]> {
    return this.#socket.request(COMMAND.blockStatus, offset, length)
  }

  async close(): Promise<void> {
    await this.#socket.close()
  }
}

class ReplySocket {
  readonly ready: Promise<ExportInfo>
  readonly #socket: Socket
  readonly #closed = Promise.withResolvers<void>()
  readonly #handshake = Promise.withResolvers<ExportInfo>()
  readonly #pending = new Map<number, Waiting>()
  readonly #slots: Slots
  readonly #stallTimer: NodeJS.Timeout
  #failure: DriverError | undefined
  #ready = false
  #nextCookie = 1

  constructor(options: NbdClientOptions) {
    this.ready = this.#handshake.promise
    this.#slots = new Slots(options.requestsInFlight ?? LIMITS.nbdRequestsInFlight)
    this.#socket = connect({
      path: options.socketPath,
      onread: {
        buffer: Buffer.allocUnsafeSlow(LIMITS.nbdReceiveBufferBytes),
        callback: this.#receiver(this.#parse(options.exportName)),
      },
    })
    this.#socket.on('error', (error) => this.#fail(connectionError(error)))
    this.#socket.on('end', () => this.#fail(protocolError('an answer', 'the end of the connection')))
    this.#socket.on('close', () => {
      this.#fail(protocolError('an answer', 'a closed connection'))
      this.#closed.resolve()
    })
    const stallMs = options.stallMs ?? LIMITS.nbdStallMs
    this.#stallTimer = setTimeout(() => {
      if (this.#ready && this.#pending.size === 0) return
      this.#fail(protocolError(`an answer within ${stallMs} ms`, 'none'))
    }, stallMs)
    this.#stallTimer.unref()
  }

  async request(
    command: Command,
    offset: number,
    length: number,
    data: { buffer?: Uint8Array; payload?: Uint8Array } = {},
  ): Promise<Extent[]> {
    await this.#slots.take()
    try {
      if (this.#failure !== undefined) throw this.#failure
      return await new Promise<Extent[]>((resolve, reject) => {
        const cookie = this.#nextCookie++
        const { buffer, payload } = data
        const state = { command, offset, length, answeredBytes: 0, extents: [], resolve, reject }
        this.#pending.set(cookie, buffer === undefined ? state : { ...state, buffer })
        this.#stallTimer.refresh()
        this.#socket.write(encodeRequest({ command, cookie, offset, length }))
        if (payload !== undefined) this.#socket.write(payload)
      })
    } finally {
      this.#slots.release()
    }
  }

  async close(): Promise<void> {
    if (this.#failure === undefined) {
      this.#socket.write(encodeRequest({ command: COMMAND.disconnect, cookie: 0, offset: 0, length: 0 }))
    }
    this.#fail(new DriverError('transient', 'The NBD connection was closed'))
    await this.#closed.promise
  }

  *#parse(exportName: string): Parser<never> {
    const info = yield* handshake(exportName, (bytes) => this.#socket.write(bytes))
    this.#ready = true
    this.#handshake.resolve(info)
    return yield* parseReplies(
      { get: (cookie) => this.#pending.get(cookie), finish: (cookie) => this.#finish(cookie) },
      info.allocationContextId,
    )
  }

  /** Copies what arrives into the buffers that the parser asks for. */
  #receiver(parser: Parser<never>): (bytes: number, received: Uint8Array) => boolean {
    let wanted: Uint8Array | undefined
    let filled = 0
    return (bytes, received) => {
      if (this.#failure !== undefined) return false
      this.#stallTimer.refresh()
      try {
        wanted ??= parser.next().value
        for (let at = 0; at < bytes;) {
          const count = Math.min(bytes - at, wanted.length - filled)
          wanted.set(received.subarray(at, at + count), filled)
          at += count
          filled += count
          for (; filled === wanted.length; filled = 0) wanted = parser.next().value
        }
      } catch (error) {
        this.#fail(error instanceof DriverError ? error : protocolError('an NBD message', String(error)))
      }
      return true
    }
  }

  #finish(cookie: number): void {
    const request = this.#pending.get(cookie)
    this.#pending.delete(cookie)
    if (request?.error === undefined) request?.resolve(request.extents)
    else request.reject(request.error)
  }

  /** The connection is of no more use: everything that waits is told so. Only the first reason counts. */
  #fail(error: DriverError): void {
    if (this.#failure !== undefined) return
    this.#failure = error
    clearTimeout(this.#stallTimer)
    this.#handshake.promise.catch(() => undefined)
    this.#handshake.reject(error)
    for (const request of this.#pending.values()) request.reject(error)
    this.#pending.clear()
    this.#socket.destroy()
  }
}

/** Lets a limited number of requests be under way; the others wait in order. */
class Slots {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(count: number) {
    this.#free = count
  }

  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1
      return
    }
    if (this.#waiting.length >= LIMITS.nbdRequestsWaitingMax) {
      throw new DriverError('busy', `Expected at most ${LIMITS.nbdRequestsWaitingMax} waiting NBD requests`)
    }
    const turn = Promise.withResolvers<void>()
    this.#waiting.push(turn.resolve)
    await turn.promise
  }

  release(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free += 1
    else next()
  }
}

function connectionError(error: Error): DriverError {
  return new DriverError('transient', `Expected a connection to the NBD server, got ${error.message}`, {
    cause: error,
  })
}
