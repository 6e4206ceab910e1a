/**
 * Where chunks are worked on: worker threads, or this thread (in tests, and for a target that only this thread has). Work above the
 * capacity waits in line, and whoever hands it in waits with it.
 */
import { extname } from 'node:path'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { createLine } from './line.ts'
import { pickThread } from './threads/pool.ts'
import type { Thread, ThreadJob } from './threads/thread.ts'

export interface Executor<Task, Result> {
  readonly capacity: number
  /** Rejects once it is closed. */
  run(task: Task): Promise<Result>
  /** Afterwards nothing runs any more, not even what was in work. */
  close(): Promise<void>
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

/**
 * `module` is a file beside this one that exports `open` (see threads/messages.ts), without its ending: `.ts` from source, `.js` once compiled. A
 * thread is taken when there is more to do than those before it can begin with: for a backup that finds nothing changed, none.
 */
export function threadExecutor<Task, Result>(
  module: string,
  data: unknown,
  threads: number,
): Executor<Task, Result> {
  const url = new URL(`./${module}${extname(import.meta.url)}`, import.meta.url).href
  const taken = new Set<Thread>()
  const jobs: ThreadJob[] = []
  const idlest = () => {
    const [job] = jobs.toSorted((one, other) => one.busy() - other.busy())
    if (job !== undefined && (job.busy() === 0 || jobs.length === threads)) return job
    const thread = pickThread(taken)
    taken.add(thread)
    const opened = thread.open(url, data)
    jobs.push(opened)
    return opened
  }
  const capacity = threads * LIMITS.chunksPerThread
  const line = createLine(capacity)
  let isClosed = false
  const run = async (task: Task) => {
    // Whoever waited for something else meanwhile: a thread that has closed the job would never answer.
    if (isClosed) throw new DriverError('transient', 'Expected to be at work still, it was stopped')
    return (await idlest().run(task)) as Result
  }
  return {
    capacity,
    run: (task) => line.pass(() => run(task)),
    close: async () => {
      isClosed = true
      await Promise.all(jobs.map((job) => job.close()))
    },
  }
}
