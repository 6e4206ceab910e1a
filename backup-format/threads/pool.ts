/**
 * The worker threads of this process. Operations share them: a thread that each had for itself would cost 0.2 s of CPU and 40 MB, and more
 * threads than cores move no more bytes.
 */
import { availableParallelism } from 'node:os'
import { LIMITS } from '../../domain/limits.ts'
import { Thread } from './thread.ts'

const THREADS_MAX = Math.max(LIMITS.backupThreads, Math.min(LIMITS.threadsMax, availableParallelism()))

const threads = new Set<Thread>()

/** The threads with the fewest jobs; new ones as long as none is without a job. At most THREADS_MAX. */
export function pickThreads(count: number): Thread[] {
  const idle = [...threads].filter(({ jobs }) => jobs === 0).length
  const missing = Math.min(count - idle, THREADS_MAX - threads.size)
  for (let started = 0; started < missing; started += 1) {
    threads.add(new Thread((thread) => threads.delete(thread)))
  }
  return [...threads].toSorted((one, other) => one.jobs - other.jobs).slice(0, count)
}
