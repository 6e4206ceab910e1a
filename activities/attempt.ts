import { Context, heartbeat } from '@temporalio/activity'
import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import type { Database } from '../database/open.ts'
import {
  type Attempt,
  acquireAttempt,
  releaseAttempt,
  renewAttempt,
  saveCheckpoint,
} from '../database/operations/attempts.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Progress } from '../domain/progress.ts'
import { retryDelayMs } from '../domain/retries.ts'
import { isRetryable, toFailure } from './failure.ts'

export interface RunningAttempt {
  /** Fires when the operation is cancelled, the worker stops, or another attempt has taken over: stop writing at once. */
  readonly signal: AbortSignal
  /** Larger than that of every earlier attempt of this activity. */
  readonly token: number
  /** Where the attempt before left off: everything below is durable. */
  readonly resumeFromBytes: number
  /** Moved by earlier attempts, so that the total stays true. */
  readonly movedBytesBefore: number
  progress(progress: Progress): void
  /** Call only after everything below was flushed. */
  checkpoint(bytes: number): Promise<void>
}

/**
 * Runs one attempt of an activity under a lease: no other attempt writes while this one may, it stops when it loses the lease,
 * its progress reaches the database and Temporal, and its failure says when it is tried again.
 */
export async function attempted<T>(
  database: Database,
  operationId: string,
  work: (attempt: RunningAttempt) => Promise<T>,
): Promise<T> {
  const context = Context.current()
  const attempt = await acquire(database, { operationId, activity: context.info.activityType })
  const guard = new LeaseGuard(database, attempt, context.cancellationSignal)
  let failure: Error | undefined
  try {
    refusePoison(attempt)
    return await work(guard.running())
  } catch (error) {
    failure = failureOf(error, attempt, guard.reason, context.cancellationSignal)
    throw failure
  } finally {
    await guard.stop()
    await release(database, attempt, failure, context.info.attempt)
  }
}

async function acquire(database: Database, key: { operationId: string; activity: string }): Promise<Attempt> {
  const context = Context.current()
  for (;;) {
    const taken = await acquireAttempt(database, key, Date.now())
    if ('token' in taken) return taken
    heartbeat()
    // Bounded by the lease itself; a cancel ends the wait.
    await context.sleep(Math.min(taken.waitMs + 1, LIMITS.progressIntervalMs))
  }
}

/** Renews the lease, reports progress and stops the work when either can no longer be done. */
class LeaseGuard {
  readonly #database: Database
  readonly #attempt: Attempt
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout
  #progress: Progress | undefined
  #renewedAtMs = Date.now()
  #movedAtMs = Date.now()
  #renewing: Promise<void> | undefined

  constructor(database: Database, attempt: Attempt, cancellation: AbortSignal) {
    this.#database = database
    this.#attempt = attempt
    this.#signal = AbortSignal.any([cancellation, this.#abort.signal])
    this.#timer = setInterval(() => this.#tick(), LIMITS.progressIntervalMs)
  }

  /** Why the work was stopped, when it was not a cancellation. */
  get reason(): DriverError | undefined {
    return this.#abort.signal.reason as DriverError | undefined
  }

  running(): RunningAttempt {
    return {
      signal: this.#signal,
      token: this.#attempt.token,
      resumeFromBytes: this.#attempt.checkpointBytes,
      movedBytesBefore: this.#attempt.movedBytes,
      progress: (progress) => this.#observe(progress),
      checkpoint: async (bytes) => {
        if (!(await saveCheckpoint(this.#database, this.#attempt, bytes))) this.#fenced()
      },
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#renewing
    if (!this.#abort.signal.aborted) await this.#renew()
  }

  #observe(progress: Progress): void {
    const last = this.#progress
    if (last?.doneBytes !== progress.doneBytes || last.movedBytes !== progress.movedBytes)
      this.#movedAtMs = Date.now()
    this.#progress = progress
  }

  #tick(): void {
    heartbeat({ doneBytes: this.#progress?.doneBytes ?? 0 })
    if (Date.now() - this.#movedAtMs > LIMITS.stallMs) {
      this.#abort.abort(new DriverError('transient', `No byte moved for ${LIMITS.stallMs / 1000} s.`))
    }
    if (Date.now() - this.#renewedAtMs > LIMITS.leaseRenewGraceMs) this.#fenced()
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
  }

  async #renew(): Promise<void> {
    try {
      const startedAtMs = Date.now()
      if (await renewAttempt(this.#database, this.#attempt, startedAtMs, this.#progress))
        this.#renewedAtMs = startedAtMs
      else this.#fenced()
    } catch {
      // The database is away: tried again at the next tick, until the grace is over.
    }
  }

  #fenced(): void {
    if (this.#abort.signal.aborted) return
    this.#abort.abort(new DriverError('transient', 'Another attempt has taken over.'))
    // Whoever does not stop on request is stopped with its process: nothing of it may write when the lease is over.
    setTimeout(() => process.exit(70), LIMITS.leaseRenewGraceMs / 2).unref()
  }
}

function refusePoison(attempt: Attempt): void {
  if (attempt.crashes < LIMITS.crashesMax) return
  throw ApplicationFailure.nonRetryable(
    `The worker vanished ${attempt.crashes} times in a row at the same point (byte ${attempt.checkpointBytes}).`,
    'poison',
  )
}

function failureOf(
  error: unknown,
  attempt: Attempt,
  reason: DriverError | undefined,
  cancellation: AbortSignal,
): Error {
  if (reason !== undefined) return toFailure(reason)
  if (cancellation.aborted)
    return error instanceof CancelledFailure ? error : new CancelledFailure('Cancelled')
  const failure = toFailure(error)
  const failingForMs = attempt.failingSinceMs === 0 ? 0 : Date.now() - attempt.failingSinceMs
  if (failingForMs < LIMITS.transientFailureMs || !isRetryable(failure)) return failure
  return ApplicationFailure.nonRetryable(
    `Still failing after ${LIMITS.transientFailureMs / 3_600_000} h: ${failure.message}`,
    'exhausted',
  )
}

async function release(
  database: Database,
  attempt: Attempt,
  failure: Error | undefined,
  attemptNumber: number,
): Promise<void> {
  const cancelled = failure instanceof CancelledFailure
  const report =
    failure === undefined || cancelled
      ? undefined
      : {
          message: failure.message,
          nextRetryAtMs: isRetryable(failure) ? Date.now() + retryDelayMs(attemptNumber) : undefined,
        }
  // The lease runs out by itself if the database is away.
  await releaseAttempt(database, attempt, Date.now(), report).catch(() => undefined)
}
