import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { PRIORITY } from '../../domain/operations.ts'
import type { RunOutcome, RunStep } from '../../domain/schedules.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { acceptBackup, newestBackup } from '../requests/backups.ts'
import { choosePlace } from '../requests/checks.ts'
import type { PlaceNames } from '../requests/places.ts'
import type { Tx } from '../resources.ts'
import { requireSchedule, type ScheduleRow } from './read.ts'
import { deadlineMs, MISSED_REASON, recordRun } from './runs.ts'

export interface PlannedRun {
  readonly scheduleId: string
  /** ISO 8601, UTC: with the schedule's id, the run's identity. */
  readonly scheduledAt: string
}

/**
 * Accepts the backup of a planned run, once, however often it is asked for. What stands in the way is recorded with the run: a busy
 * volume is worth another try until the catch-up window ends.
 */
export async function startPlannedRun(
  database: Database,
  places: PlaceNames,
  run: PlannedRun,
  nowMs: number,
): Promise<RunStep> {
  try {
    return await database.transaction().execute((tx) => start(tx, places, run, nowMs))
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    return database.transaction().execute((tx) => recordRefusal(tx, run, error, nowMs))
  }
}

/** Runs a schedule now because a user wants it, even while it is paused. Throws RequestError, 409 while another run goes on. */
export function requestRun(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  scheduleId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { runSchedule: scheduleId }, async (tx) => {
    const schedule = await requireSchedule(tx, { id: scheduleId, projectId: actor.projectId })
    const run = { scheduleId, scheduledAt: new Date().toISOString() }
    return acceptRun(tx, places, { actor, schedule, run, manual: true })
  })
}

async function start(tx: Tx, places: PlaceNames, run: PlannedRun, nowMs: number): Promise<RunStep> {
  const schedule = await scheduleOf(tx, run)
  // Deleted, and Temporal does not know yet.
  if (schedule === undefined) return { outcome: 'skipped' }
  const known = await outcomeOf(tx, run)
  if (known !== undefined && known !== 'waiting') return { outcome: known }
  if (schedule.paused === 1) throw new RequestError(409, 'schedulePaused', 'The schedule was paused.')
  if (known === undefined && nowMs > deadlineMs(schedule, run)) {
    await recordRun(tx, run, { outcome: 'missed', reason: MISSED_REASON })
    return { outcome: 'missed' }
  }
  const { projectId, userId } = schedule
  const actor = { projectId, userId, requestId: `req-${randomUUID()}` }
  await acceptRun(tx, places, { actor, schedule, run, manual: false })
  return { outcome: 'started' }
}

interface Start {
  readonly actor: Actor
  readonly schedule: ScheduleRow
  readonly run: PlannedRun
  readonly manual: boolean
}

async function acceptRun(
  tx: Tx,
  places: PlaceNames,
  { actor, schedule, run, manual }: Start,
): Promise<Accepted> {
  await refuseOverlap(tx, run)
  const { name, volumeId } = schedule
  const target = choosePlace('target', schedule.target, places.targets)
  const incremental = !(await isFullDue(tx, schedule)) && (await newestBackup(tx, schedule)) !== undefined
  const accepted = await acceptBackup(tx, actor, {
    volumeId,
    target,
    incremental,
    name: `${name.slice(0, LIMITS.nameLengthMax - run.scheduledAt.length - 1)} ${run.scheduledAt}`,
    metadata: { scheduleId: schedule.id },
    priority: manual ? PRIORITY.interactive : PRIORITY.scheduled,
  })
  const { operationId, resourceId: backupId } = accepted
  await recordRun(tx, run, {
    ...{ outcome: 'started', reason: null, operationId, backupId },
    manual: manual ? 1 : 0,
    incremental: incremental ? 1 : 0,
    startedAt: new Date().toISOString(),
  })
  return accepted
}

/** One at a time: neither a backup of this schedule is under way, nor does an earlier run wait for its turn. */
async function refuseOverlap(tx: Tx, { scheduleId, scheduledAt }: PlannedRun): Promise<void> {
  const other = await tx
    .selectFrom('scheduleRuns')
    .leftJoin('operations', 'operations.id', 'scheduleRuns.operationId')
    .select(['scheduleRuns.scheduledAt', 'scheduleRuns.operationId'])
    .where('scheduleRuns.scheduleId', '=', scheduleId)
    .where((eb) =>
      eb.or([
        eb('operations.state', 'in', ['pending', 'running']),
        eb.and([eb('outcome', '=', 'waiting'), eb('scheduledAt', '<', scheduledAt)]),
      ]),
    )
    .orderBy('scheduledAt')
    .executeTakeFirst()
  if (other === undefined) return
  const holder = other.operationId ?? undefined
  const state = holder === undefined ? 'is still waiting' : `still goes on as operation ${holder}`
  throw new RequestError(409, 'runOverlaps', `The run of ${other.scheduledAt} ${state}.`, holder)
}

/** Of `fullEvery` successive backups one is full: none of the last ones before this was. */
async function isFullDue(tx: Tx, { id, fullEvery }: ScheduleRow): Promise<boolean> {
  if (fullEvery === null) return false
  const last = await tx
    .selectFrom('scheduleRuns')
    .innerJoin('operations', 'operations.id', 'scheduleRuns.operationId')
    .select('scheduleRuns.incremental')
    .where('scheduleRuns.scheduleId', '=', id)
    .where('operations.state', 'not in', ['failed', 'cancelled'])
    .orderBy('scheduledAt', 'desc')
    .limit(fullEvery - 1)
    .execute()
  return last.every(({ incremental }) => incremental === 1)
}

async function recordRefusal(tx: Tx, run: PlannedRun, error: RequestError, nowMs: number): Promise<RunStep> {
  const schedule = await scheduleOf(tx, run)
  if (schedule === undefined) return { outcome: 'skipped' }
  const leftMs = deadlineMs(schedule, run) - nowMs
  const isFinal =
    error.code === 'schedulePaused' || (error.code === 'runOverlaps' && schedule.overlap === 'skip')
  const reason = error.message
  if (error.status === 409 && !isFinal && leftMs > 0) {
    const waitsUntil = new Date(nowMs + leftMs).toISOString()
    await recordRun(tx, run, { outcome: 'waiting', reason, waitsUntil })
    return { retryInMs: Math.min(leftMs, retryDelayMs(nowMs - Date.parse(run.scheduledAt))) }
  }
  const outcome: RunOutcome = error.status === 409 ? 'skipped' : 'failed-to-start'
  await recordRun(tx, run, { outcome, reason })
  return { outcome }
}

function retryDelayMs(waitedMs: number): number {
  return Math.min(LIMITS.scheduleRetryMaxMs, Math.max(LIMITS.scheduleRetryMinMs, waitedMs))
}

function scheduleOf(tx: Tx, { scheduleId }: PlannedRun): Promise<ScheduleRow | undefined> {
  return tx.selectFrom('schedules').selectAll().where('id', '=', scheduleId).executeTakeFirst()
}

async function outcomeOf(tx: Tx, { scheduleId, scheduledAt }: PlannedRun): Promise<RunOutcome | undefined> {
  const row = await tx
    .selectFrom('scheduleRuns')
    .select('outcome')
    .where('scheduleId', '=', scheduleId)
    .where('scheduledAt', '=', scheduledAt)
    .executeTakeFirst()
  return row?.outcome
}
