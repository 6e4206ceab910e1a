/**
 * Where chunks are worked on: worker threads, or this thread (in tests, and for a target that only this thread has). Work above the
 * capacity waits in line, and whoever hands it in waits with it.
 */
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { DriverError, type DriverErrorKind } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { createLine } from './line.ts'

export interface Executor<Task, Result> {
  readonly capacity: number
  run(task: Task): Promise<Result>
  /** Afterwards nothing runs any more, not even what was in work. */
  close(): Promise<void>
}

/** From the executor to its thread. */
export type ToThread<Task> =
  | { readonly type: 'run'; readonly ticket: number; readonly task: Task }
  | { readonly type: 'stop' }

/** From a thread: errors travel as plain values. */
export type FromThread<Result> =
  | { readonly ticket: number; readonly result: Result }
  | {
      readonly ticket: number
      readonly error: { readonly kind: DriverErrorKind | undefined; readonly message: string }
    }

export function inlineExecutor<Task, Result>(
  handle: (task: Task, signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
): Executor<Task, Result> {
  const line = createLine(LIMITS.chunksPerThread)
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  return {
    capacity: LIMITS.chunksPerThread,
    run: (task) => line.pass(() => handle(task, either)),
    close: async () => {
      stop.abort()
      await line.empty()
    },
  }
}

/** `entry` is a file beside this one, without its ending: `.ts` from source, `.js` once compiled. */
export function threadExecutor<Task, Result>(
  entry: string,
  workerData: unknown,
  threads: number,
): Executor<Task, Result> {
  const url = new URL(`./${entry}${extname(import.meta.url)}`, import.meta.url)
  const pool = Array.from({ length: threads }, () => startThread<Task, Result>(url, workerData))
  const line = createLine(threads * LIMITS.chunksPerThread)
  return {
    capacity: threads * LIMITS.chunksPerThread,
    run: (task) =>
      line.pass(async () => {
        const idlest = pool.reduce((best, thread) => (thread.busy() < best.busy() ? thread : best))
        return idlest.run(task)
      }),
    close: async () => {
      await Promise.all(pool.map((thread) => thread.close()))
    },
  }
}

function startThread<Task, Result>(url: URL, workerData: unknown) {
  const worker = new Worker(url, {
    workerData,
    resourceLimits: { maxYoungGenerationSizeMb: LIMITS.threadYoungHeapMiB },
  })
  const waiting = new Map<number, PromiseWithResolvers<Result>>()
  let ticket = 0
  let failure: Error | undefined
  const fail = (error: Error) => {
    failure ??= error
    for (const { reject } of waiting.values()) reject(failure)
    waiting.clear()
  }
  const exited = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      fail(new DriverError('transient', 'Expected the worker thread to keep running, it ended'))
      resolve()
    })
  })
  worker.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))))
  worker.on('message', (message: FromThread<Result>) => {
    const caller = waiting.get(message.ticket)
    waiting.delete(message.ticket)
    if ('result' in message) caller?.resolve(message.result)
    else caller?.reject(revive(message.error))
  })
  return {
    busy: () => waiting.size,
    run: async (task: Task): Promise<Result> => {
      if (failure !== undefined) throw failure
      const caller = Promise.withResolvers<Result>()
      ticket += 1
      waiting.set(ticket, caller)
      worker.postMessage({ type: 'run', ticket, task } satisfies ToThread<Task>)
      return caller.promise
    },
    close: async () => {
      worker.postMessage({ type: 'stop' } satisfies ToThread<Task>)
      const timer = setTimeout(() => void worker.terminate(), LIMITS.threadStopMs)
      await exited
      clearTimeout(timer)
    },
  }
}

function revive({ kind, message }: { kind: DriverErrorKind | undefined; message: string }): Error {
  return kind === undefined ? new Error(message) : new DriverError(kind, message)
}
