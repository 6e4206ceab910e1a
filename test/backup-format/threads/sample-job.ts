/** A job for the pool's tests; its task says what it does. */
import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { DriverError } from '../../../domain/errors.ts'
import type { Keep } from '../../../backup-format/threads/messages.ts'

export type SampleTask = 'thread' | 'wait' | 'refuse' | 'crash' | 'ignore the end'

/** `log` gets a line for what is opened and closed. */
export async function open({ log, failing = false }: { log: string; failing?: boolean }, keep: Keep) {
  keep({ close: async () => appendFileSync(log, 'closed\n') })
  if (failing) throw new DriverError('notFound', 'Expected a volume')
  return async (task: SampleTask, signal: AbortSignal): Promise<number> => {
    if (task === 'refuse') throw new DriverError('corrupt', 'Expected better bytes')
    if (task === 'crash')
      setImmediate(() => {
        throw new Error('crashed')
      })
    if (task === 'ignore the end') await sleep(60_000)
    if (task !== 'thread') await sleep(60_000, undefined, { signal })
    return threadId
  }
}
