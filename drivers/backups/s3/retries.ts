import { setTimeout as sleep } from 'node:timers/promises'
import { LIMITS } from '../../../domain/limits.ts'
import { asDriverError } from './errors.ts'

/** Tries again what another try may cure, twice as late each time. Aborting ends it with the signal's reason. */
export async function withRetries<T>(
  signal: AbortSignal | undefined,
  request: (attempt: number) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted()
    try {
      return await request(attempt)
    } catch (error) {
      signal?.throwIfAborted()
      const failure = asDriverError(error)
      if (failure.kind !== 'transient' || attempt >= LIMITS.s3Attempts) throw failure
      await sleep(LIMITS.s3RetryMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2), undefined, {
        ...(signal && { signal }),
      })
    }
  }
}
