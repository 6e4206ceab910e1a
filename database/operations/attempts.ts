import { OperationOverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Progress } from '../../domain/progress.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'
import { type Controls, controlsOf, PAUSED } from './controls.ts'
import type { Tx } from '../resources.ts'

export interface AttemptKey {
  readonly operationId: string
  readonly activity: string
}

export interface Attempt extends AttemptKey {
  /** Monotone per operation and activity: the newest attempt has the largest. */
  readonly token: number
  readonly checkpointBytes: number
  readonly movedBytes: number
  /** Attempts in a row that vanished without a new checkpoint, this one not counted. */
  readonly crashes: number
  readonly failingSinceMs: number
  readonly controls: Controls
}

/** Undo goes on after the end of its operation. */
export const UNDO_ACTIVITY = 'releaseArtifact'

/**
 * Takes the lease for a new attempt. Returns the milliseconds to wait when an earlier attempt may still be writing: its lease has
 * neither run out nor been given back. `fencedToken`: of an attempt that is known to have stopped, though it could not give its lease
 * back; it is no crash. Throws OperationOverError when the operation has ended or was abandoned: a late task.
 */
export async function acquireAttempt(
  database: Database,
  key: AttemptKey,
  nowMs: number,
  fencedToken?: number,
): Promise<Attempt | { waitMs: number }> {
  return database.transaction().execute(async (tx) => {
    if (key.activity !== UNDO_ACTIVITY && (await isOver(tx, key.operationId)))
      throw new OperationOverError(key.operationId)
    const last = await tx
      .selectFrom('attempts')
      .selectAll()
      .where('operationId', '=', key.operationId)
      .where('activity', '=', key.activity)
      .executeTakeFirst()
    if (last?.released === 0 && last.leaseExpiresAtMs > nowMs)
      return { waitMs: last.leaseExpiresAtMs - nowMs }
    const counters = {
      operationId: key.operationId,
      activity: key.activity,
      token: (last?.token ?? 0) + 1,
      checkpointBytes: last?.checkpointBytes ?? 0,
      movedBytes: last?.movedBytes ?? 0,
      crashes: last === undefined ? 0 : last.crashes + (isCrash(last, fencedToken) ? 1 : 0),
      failingSinceMs: last?.failingSinceMs ?? 0,
    }
    const row = { ...counters, leaseExpiresAtMs: nowMs + LIMITS.leaseMs, released: 0 }
    await tx
      .insertInto('attempts')
      .values(row)
      .onConflict((conflict) => conflict.columns(['operationId', 'activity']).doUpdateSet(row))
      .execute()
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set({ attempt: counters.token, nextRetryAt: null, waitingFor: null })
      .where('id', '=', key.operationId)
      .where('state', '=', 'running')
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await recordEvent(tx, key.operationId, 'progress')
    return { ...counters, controls: await controlsOf(tx, key.operationId, nowMs) }
  })
}

function isCrash(last: { released: number; token: number }, fencedToken: number | undefined): boolean {
  return last.released === 0 && last.token !== fencedToken
}

async function isOver(tx: Tx, operationId: string): Promise<boolean> {
  return (await openOperation(tx, operationId).executeTakeFirst()) === undefined
}

/** The operation, if there is still work to do for it. */
function openOperation(database: Database | Tx, operationId: string) {
  return database
    .selectFrom('operations')
    .select('id')
    .where('id', '=', operationId)
    .where('state', 'in', ['pending', 'running'])
    .where('abandonedAt', 'is', null)
}

/** Undefined: a newer attempt has taken over, or the operation was abandoned, and this one must stop writing at once. */
export async function renewAttempt(
  database: Database,
  attempt: Attempt,
  nowMs: number,
  progress: Progress | undefined,
): Promise<Controls | undefined> {
  // Before the turn that a change has to wait for: every copy takes one a second.
  const controls = await controlsOf(database, attempt.operationId, nowMs)
  const isRenewed =
    progress === undefined
      ? await renewLease(database, attempt, nowMs, {})
      : await database.transaction().execute(async (tx) => {
          const { movedBytes } = progress
          const renewed = await renewLease(tx, attempt, nowMs, { movedBytes })
          if (renewed) await showProgress(tx, attempt.operationId, progress)
          return renewed
        })
  return isRenewed ? controls : undefined
}

async function renewLease(
  database: Database | Tx,
  { operationId, activity, token }: Attempt,
  nowMs: number,
  moved: { movedBytes?: number },
): Promise<boolean> {
  let update = database
    .updateTable('attempts')
    .set({ leaseExpiresAtMs: nowMs + LIMITS.leaseMs, ...moved })
    .where('operationId', '=', operationId)
    .where('activity', '=', activity)
    .where('token', '=', token)
    .where('released', '=', 0)
  if (activity !== UNDO_ACTIVITY)
    update = update.where('operationId', 'in', openOperation(database, operationId))
  const { numUpdatedRows } = await update.executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

/** Nothing is written when nothing has changed. */
async function showProgress(
  tx: Tx,
  operationId: string,
  { phase, doneBytes, totalBytes, movedBytes }: Progress,
): Promise<void> {
  const { numUpdatedRows } = await tx
    .updateTable('operations')
    .set({ phase, doneBytes, totalBytes, movedBytes })
    .where('id', '=', operationId)
    .where('state', '=', 'running')
    .where((eb) =>
      eb.or([
        eb('phase', 'is distinct from', phase),
        eb('doneBytes', '!=', doneBytes),
        eb('totalBytes', '!=', totalBytes),
        eb('movedBytes', '!=', movedBytes),
      ]),
    )
    .executeTakeFirstOrThrow()
  if (numUpdatedRows === 1n) await recordEvent(tx, operationId, 'progress')
}

/** Everything below `checkpointBytes` is durable in its target. False: a newer attempt has taken over. */
export async function saveCheckpoint(
  database: Database,
  attempt: Attempt,
  checkpointBytes: number,
): Promise<boolean> {
  const { numUpdatedRows } = await database
    .updateTable('attempts')
    .set({ checkpointBytes, crashes: 0, failingSinceMs: 0 })
    .where('operationId', '=', attempt.operationId)
    .where('activity', '=', attempt.activity)
    .where('token', '=', attempt.token)
    .where('released', '=', 0)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}

export interface AttemptFailure {
  readonly message: string
  /** Undefined: it will not be tried again. */
  readonly nextRetryAtMs: number | undefined
}

/** The attempt is over and writes no more: the next one may start at once. `paused`: when the pause is over. */
export async function releaseAttempt(
  database: Database,
  attempt: Attempt,
  nowMs: number,
  failure: AttemptFailure | 'paused' | undefined,
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const failed = typeof failure === 'object'
    const failingSinceMs = failed ? attempt.failingSinceMs || nowMs : 0
    const { numUpdatedRows } = await tx
      .updateTable('attempts')
      .set({ released: 1, failingSinceMs, crashes: attempt.crashes })
      .where('operationId', '=', attempt.operationId)
      .where('activity', '=', attempt.activity)
      .where('token', '=', attempt.token)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows !== 1n || failure === undefined) return
    const shown = await tx
      .updateTable('operations')
      .set(failed ? failureColumns(failure) : { waitingFor: PAUSED })
      .where('id', '=', attempt.operationId)
      .where('state', '=', 'running')
      .executeTakeFirstOrThrow()
    if (shown.numUpdatedRows !== 1n) return
    await recordEvent(tx, attempt.operationId, failed ? 'attempt-failed' : 'waiting')
  })
}

function failureColumns({ message, nextRetryAtMs }: AttemptFailure) {
  const nextRetryAt = nextRetryAtMs === undefined ? null : new Date(nextRetryAtMs).toISOString()
  return { lastError: message, nextRetryAt }
}

/** When the last lease of the operation runs out: nobody of its attempts writes after that. 0: now. */
export async function quietAtMs(database: Database, operationId: string): Promise<number> {
  const row = await database
    .selectFrom('attempts')
    .select((eb) => eb.fn.max('leaseExpiresAtMs').as('expiresAtMs'))
    .where('operationId', '=', operationId)
    .where('released', '=', 0)
    .executeTakeFirst()
  return row?.expiresAtMs ?? 0
}
