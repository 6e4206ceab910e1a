/**
 * A small client of QMP, the protocol in which a running qemu is told what to do. One connection, one command at a time. The other
 * side runs a user's guest and need not be sane: lines, waits and answers are bounded and checked.
 * A monitor serves one client at a time, so whoever holds a connection is alone with that qemu, across processes.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { DriverError, type DriverErrorKind } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { LineSplitter } from './lines.ts'

export interface QmpOptions {
  readonly socketPath: string
  /** Of the greeting: it comes when no other client is connected. */
  readonly greetingMs?: number
  readonly commandMs?: number
}

const GREETING = z.object({ QMP: z.object({}) })
const ANSWER = z.union([
  z.object({ event: z.string() }),
  z.object({ id: z.int(), return: z.unknown() }),
  z.object({ id: z.int(), error: z.object({ class: z.string(), desc: z.string() }) }),
])
type Answer = z.infer<typeof ANSWER>

/** What qemu answered to a command that it did not carry out. */
export class QmpRefusal extends DriverError {}

export class QmpClient implements AsyncDisposable {
  readonly #socket: Socket
  readonly #commandMs: number
  #waiting: PromiseWithResolvers<unknown> | undefined
  #failure: DriverError | undefined
  #lastId = 0

  private constructor(options: QmpOptions) {
    this.#commandMs = options.commandMs ?? LIMITS.qmpCommandMs
    this.#socket = connect(options.socketPath)
    const lines = new LineSplitter(LIMITS.qmpLineBytes)
    this.#socket.on('data', (bytes) => {
      try {
        for (const line of lines.push(bytes)) this.#receive(line)
      } catch (error) {
        this.#fail(broken(error instanceof Error ? error.message : String(error)))
      }
    })
    this.#socket.on('error', (error) => this.#fail(new DriverError('transient', error.message)))
    this.#socket.on('close', () => this.#fail(new DriverError('transient', 'the connection was closed')))
  }

  /** Throws DriverError `transient` when nobody answers in time, `invalid` when it is not qemu. */
  static async connect(options: QmpOptions): Promise<QmpClient> {
    const deadlineMs = Date.now() + (options.greetingMs ?? LIMITS.qmpGreetingMs)
    for (;;) {
      try {
        return await QmpClient.#greeted(options, Math.max(deadlineMs - Date.now(), 1))
      } catch (error) {
        // One may wait in line for the monitor; whoever comes then is sent away by the system.
        const isFull = error instanceof DriverError && error.message.includes('EAGAIN')
        if (!isFull || Date.now() > deadlineMs) throw error
        await sleep(LIMITS.qmpLinePollMs)
      }
    }
  }

  static async #greeted(options: QmpOptions, greetingMs: number): Promise<QmpClient> {
    const client = new QmpClient(options)
    try {
      const greeting = await client.#answer(greetingMs)
      if (!GREETING.safeParse(greeting).success) throw broken('the first line is no greeting')
      await client.execute('qmp_capabilities', {}, z.unknown())
      return client
    } catch (error) {
      client.#socket.destroy()
      throw error
    }
  }

  /**
   * Throws QmpRefusal (`full`, `unsupported`, else `invalid`) when qemu refuses; then nothing was changed. Throws DriverError
   * `transient` when it does not answer: nobody knows whether it did it.
   */
  async execute<T>(command: string, args: object, answer: z.ZodType<T>): Promise<T> {
    const id = ++this.#lastId
    const answered = this.#answer(this.#commandMs)
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    const received = (await answered) as Exclude<Answer, { event: string }>
    if (received.id !== id) throw this.#fail(broken('the answer belongs to no question'))
    if ('error' in received) throw refusal(command, received.error)
    const parsed = answer.safeParse(received.return)
    if (parsed.success) return parsed.data
    throw broken(`the answer to ${command} has another form than expected`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket.closed) return
    const closed = new Promise((resolve) => this.#socket.once('close', resolve))
    this.#socket.destroy()
    await closed
  }

  async #answer(timeoutMs: number): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure
    this.#waiting = Promise.withResolvers()
    const timer = setTimeout(
      () => this.#fail(new DriverError('transient', `no answer within ${timeoutMs} ms`)),
      timeoutMs,
    )
    try {
      return await this.#waiting.promise
    } finally {
      clearTimeout(timer)
    }
  }

  #receive(line: string): void {
    const value: unknown = JSON.parse(line)
    if (this.#lastId > 0) {
      const parsed = ANSWER.safeParse(value)
      if (!parsed.success) throw new Error('a line is neither an answer nor an event')
      if ('event' in parsed.data) return
    }
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) throw new Error('an answer came that nobody had asked for')
    waiting.resolve(value)
  }

  #fail(error: DriverError): DriverError {
    this.#failure ??= error
    this.#waiting?.reject(this.#failure)
    this.#waiting = undefined
    this.#socket.destroy()
    return this.#failure
  }
}

function broken(what: string): DriverError {
  return new DriverError('invalid', `Expected answers in QMP, but ${what}`)
}

function refusal(command: string, error: { class: string; desc: string }): QmpRefusal {
  const reason = error.desc.replaceAll(/\p{Cc}+/gu, ' ').slice(0, LIMITS.processErrorLineLength)
  return new QmpRefusal(kindOf(error), `Expected qemu to carry out ${command}, it refused: ${reason}`)
}

function kindOf(error: { class: string; desc: string }): DriverErrorKind {
  if (error.class === 'CommandNotFound') return 'unsupported'
  return /no space left on device|disk quota exceeded|file too large/i.test(error.desc) ? 'full' : 'invalid'
}
