import { Context, heartbeat } from '@temporalio/activity'
import { ApplicationFailure, CancelledFailure } from '@temporalio/common'
import type { Database } from '../database/open.ts'
import {
  type Attempt,
  type AttemptFailure,
  acquireAttempt,
  releaseAttempt,
  renewAttempt,
  saveCheckpoint,
  UNDO_ACTIVITY,
} from '../database/operations/attempts.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Progress } from '../domain/progress.ts'
import { retryDelayMs } from '../domain/retries.ts'
import { isPaused, isRetryable, pausedFailure, toFailure } from './failure.ts'
import { Pacer } from './pacer.ts'

export interface RunningAttempt {
  /** Fires when the operation is cancelled, the worker stops, or another attempt has taken over: stop writing at once. */
  readonly signal: AbortSignal
  /** Larger than that of every earlier attempt of this activity. */
  readonly token: number
  /** Where the attempt before left off: everything below is durable. */
  readonly resumeFromBytes: number
  /** Moved by earlier attempts, so that the total stays true. */
  readonly movedBytesBefore: number
  /** When it began: what cannot be held up should not be begun. */
  readonly isLimited: boolean
  progress(progress: Progress): void
  /** Call before so many bytes are moved: resolves when the operation's rate limit lets them pass. */
  pace(bytes: number): Promise<void>
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
  const key = { operationId, activity: context.info.activityType }
  const attempt = await acquire(database, key).catch((error: unknown) => {
    throw toFailure(error, context.info.attempt)
  })
  // Undo is not held up.
  const pausable = attempt.activity !== UNDO_ACTIVITY
  const guard = new LeaseGuard(database, attempt, { cancellation: context.cancellationSignal, pausable })
  let failure: Error | undefined
  try {
    refusePoison(attempt)
    if (pausable && attempt.controls.paused) throw pausedFailure()
    return await work(guard.running())
  } catch (error) {
    failure = failureOf(error, attempt, guard.reason, context)
    throw failure
  } finally {
    await guard.stop()
    await release(database, attempt, failure, context.info.attempt)
  }
}

async function acquire(database: Database, key: { operationId: string; activity: string }): Promise<Attempt> {
  const context = Context.current()
  const details = context.info.heartbeatDetails as HeartbeatDetails | undefined
  for (;;) {
    const taken = await acquireAttempt(database, key, Date.now(), details?.fencedToken)
    if ('token' in taken) return taken
    heartbeat(details)
    // Bounded by the lease itself; a cancel ends the wait.
    await context.sleep(Math.min(taken.waitMs + 1, LIMITS.progressIntervalMs))
  }
}

/** What Temporal hands on to the next attempt, also when the database does not answer. */
interface HeartbeatDetails {
  readonly doneBytes: number
  /** Of an attempt that stopped because it could not keep its lease: it did not crash. */
  readonly fencedToken?: number
}

/** Renews the lease, reports progress and stops the work when either can no longer be done. */
class LeaseGuard {
  readonly #database: Database
  readonly #attempt: Attempt
  readonly #abort = new AbortController()
  readonly #signal: AbortSignal
  readonly #timer: NodeJS.Timeout
  readonly #pacer: Pacer
  readonly #pausable: boolean
  readonly #onAbort = () => this.#mustStopWithin(LIMITS.stopWithinMs)
  #progress: Progress | undefined
  /** What users see of it. */
  #shown: Progress | undefined
  #renewedAtMs = Date.now()
  #movedAtMs = Date.now()
  #renewing: Promise<void> | undefined
  #exit: NodeJS.Timeout | undefined
  #fencedToken: number | undefined

  constructor(
    database: Database,
    attempt: Attempt,
    { cancellation, pausable }: { cancellation: AbortSignal; pausable: boolean },
  ) {
    this.#database = database
    this.#attempt = attempt
    this.#signal = AbortSignal.any([cancellation, this.#abort.signal])
    this.#pausable = pausable
    this.#pacer = new Pacer(attempt.controls.rateLimitBytes)
    this.#timer = setInterval(() => this.#tick(), LIMITS.progressIntervalMs)
    this.#signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  /** Why the work was stopped, when it was not a cancellation. */
  get reason(): Error | undefined {
    return this.#abort.signal.reason as Error | undefined
  }

  running(): RunningAttempt {
    return {
      signal: this.#signal,
      token: this.#attempt.token,
      resumeFromBytes: this.#attempt.checkpointBytes,
      movedBytesBefore: this.#attempt.movedBytes,
      isLimited: this.#attempt.controls.rateLimitBytes !== null,
      progress: (progress) => this.#observe(progress),
      pace: (bytes) => this.#pacer.pass(bytes, this.#signal),
      checkpoint: async (bytes) => {
        if (!(await saveCheckpoint(this.#database, this.#attempt, bytes))) this.#fenced()
      },
    }
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    // It has stopped: who is told so from now on need not.
    this.#signal.removeEventListener('abort', this.#onAbort)
    await this.#renewing
    if (!this.#abort.signal.aborted) await this.#renew()
    clearTimeout(this.#exit)
  }

  #observe(progress: Progress): void {
    const last = this.#progress
    if (last?.doneBytes !== progress.doneBytes || last.movedBytes !== progress.movedBytes)
      this.#movedAtMs = Date.now()
    this.#progress = progress
  }

  #tick(): void {
    this.#heartbeat()
    if (Date.now() - this.#movedAtMs > LIMITS.stallMs) {
      this.#abort.abort(new DriverError('transient', `No byte moved for ${LIMITS.stallMs / 1000} s.`))
    }
    if (Date.now() - this.#renewedAtMs > LIMITS.leaseRenewGraceMs) this.#fenced()
    if (!this.#isRenewalDue()) return
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined
    })
  }

  #isRenewalDue(): boolean {
    return this.#progress !== this.#shown || Date.now() - this.#renewedAtMs >= LIMITS.leaseRenewMs
  }

  async #renew(): Promise<void> {
    try {
      const startedAtMs = Date.now()
      const progress = this.#progress
      const news = progress === this.#shown ? undefined : progress
      const controls = await renewAttempt(this.#database, this.#attempt, startedAtMs, news)
      if (controls === undefined) return this.#fenced()
      this.#shown = progress
      this.#renewedAtMs = startedAtMs
      this.#pacer.rate = controls.rateLimitBytes
      if (this.#pausable && controls.paused) this.#abort.abort(pausedFailure())
    } catch {
      // The database is away: tried again at the next tick, until the grace is over.
    }
  }

  #heartbeat(): void {
    const fenced = this.#fencedToken === undefined ? {} : { fencedToken: this.#fencedToken }
    heartbeat({ doneBytes: this.#progress?.doneBytes ?? 0, ...fenced } satisfies HeartbeatDetails)
  }

  /** Whoever does not stop on request is stopped with its process. */
  #mustStopWithin(ms: number): void {
    clearTimeout(this.#exit)
    this.#exit = setTimeout(() => process.exit(70), ms).unref()
  }

  #fenced(): void {
    if (this.#abort.signal.aborted) return
    this.#fencedToken = this.#attempt.token
    this.#heartbeat()
    this.#abort.abort(new DriverError('transient', 'Another attempt has taken over, or none may.'))
    // Nothing of it may write when the lease is over.
    this.#mustStopWithin(LIMITS.leaseRenewGraceMs / 2)
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
  reason: Error | undefined,
  { cancellationSignal, info }: Context,
): Error {
  if (reason !== undefined) return toFailure(reason, info.attempt)
  if (cancellationSignal.aborted)
    return error instanceof CancelledFailure ? error : new CancelledFailure('Cancelled')
  const failure = toFailure(error, info.attempt)
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
  const report =
    failure === undefined || failure instanceof CancelledFailure
      ? undefined
      : reportOf(failure, attemptNumber)
  // The lease runs out by itself if the database is away.
  await releaseAttempt(database, attempt, Date.now(), report).catch(() => undefined)
}

function reportOf(failure: Error, attemptNumber: number): AttemptFailure | 'paused' {
  if (isPaused(failure)) return 'paused'
  const nextRetryAtMs = isRetryable(failure) ? Date.now() + retryDelayMs(attemptNumber) : undefined
  return { message: failure.message, nextRetryAtMs }
}
