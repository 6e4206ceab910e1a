/**
 * The worker threads of this process. Operations share them: a thread that each had for itself would cost 0.2 s of CPU and 40 MB, and more
 * threads than cores move no more bytes.
 */
import { availableParallelism } from 'node:os'
import { LIMITS } from '../../domain/limits.ts'
import { Thread } from './thread.ts'

const THREADS_MAX = Math.max(LIMITS.backupThreads, Math.min(LIMITS.threadsMax, availableParallelism()))

const threads = new Set<Thread>()

/** One that has no job, started if there is none; where there are as many as there may be, the one with the fewest. None of `taken`. */
export function pickThread(taken: ReadonlySet<Thread>): Thread {
  const [best] = [...threads]
    .filter((thread) => !taken.has(thread))
    .toSorted((one, other) => one.jobs - other.jobs)
  if (best !== undefined && (best.jobs === 0 || threads.size >= THREADS_MAX)) return best
  const thread = new Thread((ended) => threads.delete(ended))
  threads.add(thread)
  return thread
}
