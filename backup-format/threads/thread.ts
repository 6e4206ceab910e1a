/** One worker thread, as the pool sees it. */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { FromThread, PlainError, ToThread } from './messages.ts'

/** `.ts` from source, `.js` once compiled. */
const ENTRY = new URL(`./entry${extname(import.meta.url)}`, import.meta.url)

/** One job on one thread. */
export interface ThreadJob {
  /** Tasks in work. */
  busy(): number
  run(task: unknown): Promise<unknown>
  /** Afterwards nothing of this job runs any more, not even what was in work. */
  close(): Promise<void>
}

export class Thread {
  readonly #worker = new Worker(ENTRY, {
    resourceLimits: { maxYoungGenerationSizeMb: LIMITS.threadYoungHeapMiB },
  })
  readonly #tasks = new Map<number, PromiseWithResolvers<unknown>>()
  readonly #closing = new Map<number, () => void>()
  readonly #exited = Promise.withResolvers<void>()
  #lastId = 0
  #failure: Error | undefined
  #idle: NodeJS.Timeout | undefined
  jobs = 0

  /** `onExit`: it must not be given another job. */
  constructor(onExit: (thread: Thread) => void) {
    this.#worker.on('message', (message: FromThread) => this.#hear(message))
    this.#worker.on('error', (error) => {
      onExit(this)
      this.#fail(error instanceof Error ? error : new Error(String(error)))
    })
    this.#worker.once('exit', () => {
      onExit(this)
      this.#fail(new DriverError('transient', 'Expected the worker thread to keep running, it ended'))
      this.#exited.resolve()
    })
  }

  /** `data` is copied. */
  open(moduleUrl: string, data: unknown): ThreadJob {
    const job = this.#nextId()
    const inWork = new Set<number>()
    let closed: Promise<void> | undefined
    this.#begin()
    this.#say({ type: 'open', job, moduleUrl, data })
    return {
      busy: () => inWork.size,
      run: async (task) => {
        const ticket = this.#nextId()
        inWork.add(ticket)
        try {
          return await this.#run(job, ticket, task)
        } finally {
          inWork.delete(ticket)
        }
      },
      close: () => (closed ??= this.#close(job).finally(() => this.#end())),
    }
  }

  async #run(job: number, ticket: number, task: unknown): Promise<unknown> {
    if (this.#failure !== undefined) throw this.#failure
    const caller = Promise.withResolvers<unknown>()
    this.#tasks.set(ticket, caller)
    this.#say({ type: 'run', job, ticket, task })
    return caller.promise
  }

  /** A thread that does not get there is ended, whoever else works on it: what was given up must not be written later. */
  async #close(job: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#closing.set(job, resolve))
    this.#say({ type: 'close', job })
    const timer = setTimeout(() => void this.#worker.terminate(), LIMITS.threadStopMs)
    await Promise.race([closed, this.#exited.promise])
    this.#closing.delete(job)
    clearTimeout(timer)
  }

  #hear(message: FromThread): void {
    if (message.type === 'closed') return this.#closing.get(message.job)?.()
    const caller = this.#tasks.get(message.ticket)
    this.#tasks.delete(message.ticket)
    if (message.type === 'done') caller?.resolve(message.result)
    else caller?.reject(revive(message.error))
  }

  #fail(error: Error): void {
    this.#failure ??= error
    for (const { reject } of this.#tasks.values()) reject(this.#failure)
    this.#tasks.clear()
  }

  #begin(): void {
    this.jobs += 1
    this.#worker.ref()
    clearTimeout(this.#idle)
  }

  /** Starting a thread costs 0.2 s of CPU, so it waits a while for another job; that alone keeps no process alive. */
  #end(): void {
    this.jobs -= 1
    if (this.jobs > 0) return
    this.#worker.unref()
    this.#idle = setTimeout(() => void this.#worker.terminate(), LIMITS.threadIdleMs).unref()
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  #say(message: ToThread): void {
    this.#worker.postMessage(message)
  }
}

function revive({ kind, message }: PlainError): Error {
  return kind === undefined ? new Error(message) : new DriverError(kind, message)
}
