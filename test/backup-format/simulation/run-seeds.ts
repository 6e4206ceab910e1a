import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Loading } from './hooks.ts'
import type { Outcome } from './simulate.ts'
import type { SeedRange } from './worker.ts'

/** What a thread gets at a time: less than a second of work. */
const BATCH_SEEDS = 25

export interface SeedRequest extends Loading, SeedRange {
  readonly threads: number
  /** Called in no particular order; false: enough is known. */
  readonly onOutcome: (outcome: Outcome) => boolean | void
}

/** Runs all seeds of the range, each in one of the threads. */
export async function runSeeds(request: SeedRequest): Promise<void> {
  let next = request.from
  let isOver = false
  const take = (): SeedRange | undefined => {
    if (isOver || next >= request.to) return undefined
    const from = next
    next = Math.min(request.to, from + BATCH_SEEDS)
    return { from, to: next }
  }
  const serve = async (): Promise<void> => {
    const { sealed, courses, mutation } = request
    const thread = new Worker(new URL('./worker.ts', import.meta.url), {
      workerData: { sealed, courses, mutation },
    })
    try {
      for (let range = take(); range !== undefined; range = take()) {
        thread.postMessage(range)
        // Fails with the thread's error.
        const [outcomes] = (await once(thread, 'message')) as [Outcome[]]
        for (const outcome of outcomes) isOver ||= request.onOutcome(outcome) === false
      }
    } finally {
      await thread.terminate()
    }
  }
  await Promise.all(Array.from({ length: request.threads }, serve))
}
