import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '../domain/limits.ts'
import type { Logger } from './logger.ts'

export interface Waiting {
  readonly logger: Logger
  readonly signal: AbortSignal
}

/**
 * Repeats a step until it succeeds: services start in any order. Says what is missing, and why, each time the reason changes. Throws
 * after `LIMITS.dependencyWaitMs`, so that whoever watches over us sees it; and when the signal fires.
 */
export async function waitFor<T>(
  what: string,
  step: () => Promise<T>,
  { logger, signal }: Waiting,
): Promise<T> {
  const deadlineMs = Date.now() + LIMITS.dependencyWaitMs
  let lastReason = ''
  for (;;) {
    if (signal.aborted) throw new Error(`Stopped while waiting for ${what}`)
    try {
      return await step()
    } catch (error) {
      const reason = reasonOf(error)
      if (Date.now() > deadlineMs) {
        const seconds = LIMITS.dependencyWaitMs / 1000
        throw new Error(`Expected ${what} to answer within ${seconds} s, got: ${reason}`, { cause: error })
      }
      if (reason !== lastReason) logger.warn({ reason }, `waiting for ${what}`)
      lastReason = reason
    }
    await sleep(LIMITS.dependencyPollMs, undefined, { signal }).catch(() => undefined)
  }
}

/** The deepest cause says most: "connection refused" instead of "unavailable". */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message || error.name
}
