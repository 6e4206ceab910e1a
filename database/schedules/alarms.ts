/** Volumes of a schedule that have had no good backup by it for longer than it allows. */
import type { Selectable } from 'kysely'
import { LIMITS } from '../../domain/limits.ts'
import { greatestGapMs } from '../../domain/schedule-times.ts'
import { recordScheduleEvents } from '../events/record.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { ScheduleAlarmsTable } from '../schema.ts'
import type { ScheduleRow } from './read.ts'
import { selectVolumes } from './selection.ts'

export type ScheduleAlarm = Selectable<ScheduleAlarmsTable>

export interface AlarmChanges {
  readonly raised: ScheduleAlarm[]
  /** Volume ids. */
  readonly cleared: string[]
}

/** How old the newest good backup of a volume may be: as the user said, or two planned times may pass without one. */
export function alarmAfterMs(schedule: ScheduleRow, nowMs: number): number {
  if (schedule.alarmAfterSeconds !== null) return schedule.alarmAfterSeconds * 1000
  const windowMs = (schedule.catchUpSeconds + schedule.jitterSeconds) * 1000
  return 2 * greatestGapMs(schedule, nowMs, LIMITS.alarmTimes) + windowMs
}

export function alarmsOf(database: Database, scheduleId: string): Promise<ScheduleAlarm[]> {
  return database
    .selectFrom('scheduleAlarms')
    .selectAll()
    .where('scheduleId', '=', scheduleId)
    .orderBy('raisedAt')
    .orderBy('volumeId')
    .execute()
}

/** Brings a schedule's alarms up to date; resolves to what has changed, of which there are events. A paused schedule keeps watching: its volumes are not backed up. */
export async function updateAlarms(
  database: Database,
  schedule: ScheduleRow,
  nowMs: number,
): Promise<AlarmChanges> {
  return database.transaction().execute(async (tx) => {
    const before = await tx
      .selectFrom('scheduleAlarms')
      .select(['volumeId', 'lastGoodAt'])
      .where('scheduleId', '=', schedule.id)
      .execute()
    const known = new Map(before.map(({ volumeId, lastGoodAt }) => [volumeId, lastGoodAt]))
    const due = await overdue(tx, schedule, nowMs)
    const raised = due.filter(({ volumeId }) => !known.has(volumeId))
    const dueIds = new Set(due.map(({ volumeId }) => volumeId))
    const cleared = [...known.keys()].filter((volumeId) => !dueIds.has(volumeId))
    if (raised.length > 0) await tx.insertInto('scheduleAlarms').values(raised).execute()
    if (cleared.length > 0)
      await tx
        .deleteFrom('scheduleAlarms')
        .where('scheduleId', '=', schedule.id)
        .where('volumeId', 'in', cleared)
        .execute()
    const news = (volumeId: string, lastGoodAt: string | null) => ({
      ...{ id: schedule.id, name: schedule.name, volumeId, lastGoodAt, scheduledAt: null },
    })
    await recordScheduleEvents(tx, schedule, [
      ...raised.map(({ volumeId, lastGoodAt }) => ({
        type: 'alarm-raised' as const,
        schedule: news(volumeId, lastGoodAt),
      })),
      ...cleared.map((volumeId) => ({
        type: 'alarm-cleared' as const,
        schedule: news(volumeId, known.get(volumeId) ?? null),
      })),
    ])
    return { raised, cleared }
  })
}

async function overdue(tx: Tx, schedule: ScheduleRow, nowMs: number): Promise<ScheduleAlarm[]> {
  const since = new Date(nowMs - alarmAfterMs(schedule, nowMs)).toISOString()
  const raisedAt = new Date(nowMs).toISOString()
  const newest = await tx
    .selectFrom('backups')
    .select((eb) => ['volumeId', eb.fn.max('dataTimestamp').as('lastGoodAt')])
    .where('scheduleId', '=', schedule.id)
    .where('status', 'in', ['available', 'restoring'])
    .groupBy('volumeId')
    .execute()
  const lastGood = new Map(newest.map(({ volumeId, lastGoodAt }) => [volumeId, lastGoodAt]))
  const volumes = await selectVolumes(tx, schedule)
  return volumes.flatMap(({ id: volumeId, createdAt }) => {
    const lastGoodAt = lastGood.get(volumeId) ?? null
    // Nothing is late yet where the volume or the schedule is new.
    const from = [lastGoodAt ?? '', createdAt, schedule.createdAt].toSorted().at(-1) ?? ''
    return from < since ? [{ scheduleId: schedule.id, volumeId, raisedAt, lastGoodAt }] : []
  })
}
