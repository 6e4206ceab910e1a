import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { RunOutcome, RunStep } from '../../domain/schedules.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { requestOnce } from '../operations/idempotency.ts'
import type { PlaceNames } from '../requests/places.ts'
import type { Tx } from '../resources.ts'
import { planVolumes } from './begin-run.ts'
import { requireSchedule, runsAt, type ScheduleRow, type ScheduleRunRow } from './read.ts'
import { deadlineMs, MISSED_REASON, recordWhole, type RunKey } from './runs.ts'
import { startBackup, type VolumeRun } from './start-backup.ts'

/**
 * One step of a planned run: each of its volumes gets its backup accepted, once, however often it is asked for. What stands in the way is
 * recorded with the volume; a busy one is tried again until the catch-up window ends.
 */
export async function startPlannedRun(
  database: Database,
  places: PlaceNames,
  key: RunKey,
  nowMs: number,
): Promise<RunStep> {
  const schedule = await scheduleOf(database, key)
  // Deleted, and Temporal does not know yet.
  if (schedule === undefined) return { outcome: 'skipped' }
  await database.transaction().execute((tx) => begin(tx, schedule, key, nowMs))
  for (const run of await nextWaiting(database, key))
    await startBackup(database, { schedule, run, places, nowMs })
  return stepOf(await runsAt(database, key), key, nowMs)
}

/**
 * Runs a schedule now because a user wants it, even while it is paused; volumes that are busy are not waited for. Resolves to what became of
 * each volume. Throws RequestError when no backup could be started, for the reason of the first: 409 while another run goes on.
 */
export async function requestRun(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  scheduleId: string,
): Promise<ScheduleRunRow[]> {
  const nowMs = Date.now()
  const schedule = await requireSchedule(database, { id: scheduleId, projectId: actor.projectId })
  const { resourceId: scheduledAt } = await requestOnce(
    database,
    actor,
    { runSchedule: scheduleId },
    async (tx) => {
      const planned = { scheduleId, scheduledAt: new Date(nowMs).toISOString() }
      await planVolumes(tx, schedule, planned, {
        manual: true,
        waitsUntilMs: nowMs + LIMITS.scheduleManualRunMs,
      })
      return { operationId: null, resourceId: planned.scheduledAt }
    },
  )
  const key = { scheduleId, scheduledAt }
  let refusal: RequestError | undefined
  for (const run of (await runsAt(database, key)).filter(isWaiting)) {
    const refused = await startBackup(database, { schedule, run, places, actor, nowMs })
    refusal ??= refused
  }
  const runs = await runsAt(database, key)
  if (runs.some(({ outcome }) => outcome === 'started')) return runs
  throw refusal ?? new RequestError(409, 'runRefused', runs[0]?.reason ?? 'The run is no longer known.')
}

/** A run that has none of its volumes yet gets them, or its outcome as a whole. */
async function begin(tx: Tx, schedule: ScheduleRow, key: RunKey, nowMs: number): Promise<void> {
  const [known] = await runsAt(tx, key, 1)
  if (known !== undefined) return
  if (schedule.paused === 1)
    return recordWhole(tx, key, { outcome: 'skipped', reason: 'The schedule was paused.' })
  if (nowMs > deadlineMs(schedule, key))
    return recordWhole(tx, key, { outcome: 'missed', reason: MISSED_REASON })
  try {
    await planVolumes(tx, schedule, key, { manual: false })
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    const outcome: RunOutcome = error.code === 'noVolumes' ? 'skipped' : 'failed-to-start'
    await recordWhole(tx, key, { outcome, reason: error.message })
  }
}

/** Whose turn it is: whoever was not tried yet, then whoever was tried longest ago. */
async function nextWaiting(database: Database, { scheduleId, scheduledAt }: RunKey): Promise<VolumeRun[]> {
  const rows = await database
    .selectFrom('scheduleRuns')
    .selectAll()
    .where('scheduleId', '=', scheduleId)
    .where('scheduledAt', '=', scheduledAt)
    .where('outcome', '=', 'waiting')
    .orderBy('triedAt', (order) => order.asc().nullsFirst())
    .orderBy('volumeId')
    .limit(LIMITS.scheduleStartBatch)
    .execute()
  return rows.filter(isWaiting)
}

function isWaiting(run: ScheduleRunRow): run is VolumeRun {
  return run.outcome === 'waiting' && run.volumeId !== null
}

function stepOf(runs: readonly ScheduleRunRow[], { scheduledAt }: RunKey, nowMs: number): RunStep {
  const waiting = runs.filter(isWaiting)
  if (waiting.length === 0) {
    const started = runs.find(({ outcome }) => outcome === 'started')
    return { outcome: (started ?? runs[0])?.outcome ?? 'skipped' }
  }
  if (waiting.some(({ triedAt }) => triedAt === null)) return { retryInMs: 1 }
  const leftMs = Math.min(...waiting.map(({ waitsUntil }) => Date.parse(waitsUntil ?? '') - nowMs))
  const waitedMs = nowMs - Date.parse(scheduledAt)
  const delayMs = Math.min(LIMITS.scheduleRetryMaxMs, Math.max(LIMITS.scheduleRetryMinMs, waitedMs))
  return { retryInMs: Math.max(1, Math.min(leftMs, delayMs)) }
}

function scheduleOf(database: Database, { scheduleId }: RunKey): Promise<ScheduleRow | undefined> {
  return database.selectFrom('schedules').selectAll().where('id', '=', scheduleId).executeTakeFirst()
}
