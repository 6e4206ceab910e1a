import { randomUUID } from 'node:crypto'
import { LIMITS } from '../../domain/limits.ts'
import { timesBetween } from '../../domain/schedule-times.ts'
import { recordScheduleEvents } from '../events/record.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { runsAt, type ScheduleRow, type ScheduleRunRow } from './read.ts'

export const MISSED_REASON = 'Nothing was running to start it within its catch-up window.'

/** The identity of a run: its schedule, and its planned time as ISO 8601 in UTC. */
export interface RunKey {
  readonly scheduleId: string
  readonly scheduledAt: string
}

/** Until when a planned run may still start. */
export function deadlineMs(
  { catchUpSeconds, jitterSeconds }: Pick<ScheduleRow, 'catchUpSeconds' | 'jitterSeconds'>,
  { scheduledAt }: Pick<RunKey, 'scheduledAt'>,
): number {
  return Date.parse(scheduledAt) + (catchUpSeconds + jitterSeconds) * 1000
}

/** Writes what became of a run of which no volume was tried. */
export async function recordWhole(
  tx: Tx,
  key: RunKey,
  run: Pick<ScheduleRunRow, 'outcome' | 'reason'>,
): Promise<void> {
  await tx
    .insertInto('scheduleRuns')
    .values({ id: randomUUID(), manual: 0, ...key, ...run })
    .execute()
}

/** Writes what became of a volume's run that waited. */
export async function endRun(
  tx: Tx,
  { id }: Pick<ScheduleRunRow, 'id'>,
  run: Pick<ScheduleRunRow, 'outcome' | 'reason'> & Partial<ScheduleRunRow>,
): Promise<void> {
  await tx
    .updateTable('scheduleRuns')
    .set({ waitsUntil: null, ...run })
    .where('id', '=', id)
    .where('outcome', '=', 'waiting')
    .execute()
}

/** Epoch milliseconds, the end included. */
export interface TimeRange {
  readonly afterMs: number
  readonly untilMs: number
}

/** Where planned times may lie that nobody accounted for, and whose catch-up windows are over. */
export function unsettledRange(schedule: ScheduleRow, nowMs: number): TimeRange | undefined {
  if (schedule.paused === 1) return undefined
  const untilMs = settledMs(schedule, nowMs)
  const afterMs = Math.max(Date.parse(schedule.watchedUntil), nowMs - LIMITS.scheduleMissedLookBackMs)
  const [first, ...rest] = timesBetween(schedule, afterMs, untilMs, LIMITS.scheduleMissedMax)
  if (first === undefined) return undefined
  return { afterMs: rest.length + 1 < LIMITS.scheduleMissedMax ? afterMs : first - 1, untilMs }
}

/** Of the planned times in that range those without a run were missed. Of all runs the newest are kept. */
export async function settleRange(
  database: Database,
  schedule: ScheduleRow,
  range: TimeRange,
  plannedMs: readonly number[],
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('schedules')
      .set({ watchedUntil: new Date(range.untilMs).toISOString() })
      .where('id', '=', schedule.id)
      .where('generation', '=', schedule.generation)
      .executeTakeFirstOrThrow()
    // Changed or deleted meanwhile: these times are no longer its own.
    if (numUpdatedRows !== 1n) return
    const missed: string[] = []
    for (const timeMs of plannedMs) {
      const key = { scheduleId: schedule.id, scheduledAt: new Date(timeMs).toISOString() }
      const [known] = await runsAt(tx, key, 1)
      if (known !== undefined) continue
      await recordWhole(tx, key, { outcome: 'missed', reason: MISSED_REASON })
      missed.push(key.scheduledAt)
    }
    await forgetOldRuns(tx, schedule.id)
    const { id, name } = schedule
    const news = missed.map((scheduledAt) => ({ id, name, volumeId: null, lastGoodAt: null, scheduledAt }))
    await recordScheduleEvents(
      tx,
      schedule,
      news.map((one) => ({ type: 'run-missed', schedule: one })),
    )
  })
}

/** Runs that still wait after the end of their catch-up windows have lost their workflows: they were skipped. */
export async function endStuckRuns(database: Database, nowMs: number): Promise<void> {
  await database
    .updateTable('scheduleRuns')
    .set({ outcome: 'skipped', waitsUntil: null })
    .where('outcome', '=', 'waiting')
    .where('waitsUntil', '<=', new Date(nowMs - LIMITS.scheduleGraceMs).toISOString())
    .execute()
}

function settledMs({ catchUpSeconds, jitterSeconds }: ScheduleRow, nowMs: number): number {
  return nowMs - (catchUpSeconds + jitterSeconds) * 1000 - LIMITS.scheduleGraceMs
}

async function forgetOldRuns(tx: Tx, scheduleId: string): Promise<void> {
  const [oldest] = await tx
    .selectFrom('scheduleRuns')
    .select('scheduledAt')
    .distinct()
    .where('scheduleId', '=', scheduleId)
    .orderBy('scheduledAt', 'desc')
    .offset(LIMITS.scheduleRunsKept - 1)
    .limit(1)
    .execute()
  if (oldest === undefined) return
  await tx
    .deleteFrom('scheduleRuns')
    .where('scheduleId', '=', scheduleId)
    .where('scheduledAt', '<', oldest.scheduledAt)
    .execute()
}
