import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { newestFirst } from '../newest-first.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { ScheduleRunsTable, SchedulesTable } from '../schema.ts'

export type ScheduleRow = Selectable<SchedulesTable>
export type ScheduleRunRow = Selectable<ScheduleRunsTable>

export interface ScheduleKey {
  readonly id: string
  readonly projectId: string
}

/** The row, if it exists in this project; else a 404 that does not tell whether another project has it. */
export async function requireSchedule(database: Database | Tx, key: ScheduleKey): Promise<ScheduleRow> {
  const row = await database
    .selectFrom('schedules')
    .selectAll()
    .where('id', '=', key.id)
    .where('projectId', '=', key.projectId)
    .executeTakeFirst()
  if (row === undefined) {
    throw new RequestError(404, 'scheduleNotFound', `Schedule ${key.id} could not be found.`)
  }
  return row
}

/** How many of its volumes have an alarm now. */
export async function alarmCounts(
  database: Database,
  schedules: readonly Pick<ScheduleRow, 'id'>[],
): Promise<Map<string, number>> {
  if (schedules.length === 0) return new Map()
  const ids = schedules.map(({ id }) => id)
  const counts = await database
    .selectFrom('scheduleAlarms')
    .select((eb) => ['scheduleId', eb.fn.countAll().as('count')])
    .where('scheduleId', 'in', ids)
    .groupBy('scheduleId')
    .execute()
  return new Map(counts.map(({ scheduleId, count }) => [scheduleId, Number(count)]))
}

interface PageFilter {
  readonly projectId: string
  readonly limit: number
  /** Id of the last item of the page before. */
  readonly marker?: string
}

export interface ScheduleFilter extends PageFilter {
  readonly name?: string
}

/** Newest first. */
export async function listSchedules(database: Database, filter: ScheduleFilter): Promise<ScheduleRow[]> {
  const { marker: id, projectId } = filter
  const last = id === undefined ? undefined : await requireSchedule(database, { id, projectId })
  return newestFirst(database, 'schedules', filter, last)
}

/** What became of a run's volumes, or of the run as a whole. */
export function runsAt(
  database: Database | Tx,
  { scheduleId, scheduledAt }: Pick<ScheduleRunRow, 'scheduleId' | 'scheduledAt'>,
  limit: number = LIMITS.scheduleVolumesMax,
): Promise<ScheduleRunRow[]> {
  return database
    .selectFrom('scheduleRuns')
    .selectAll()
    .where('scheduleId', '=', scheduleId)
    .where('scheduledAt', '=', scheduledAt)
    .orderBy('volumeId')
    .limit(limit)
    .execute()
}

/** The runs of one schedule, latest planned time first. */
export async function listRuns(
  database: Database,
  filter: PageFilter & { readonly scheduleId: string },
): Promise<ScheduleRunRow[]> {
  const { scheduleId, projectId } = filter
  await requireSchedule(database, { id: scheduleId, projectId })
  let query = database
    .selectFrom('scheduleRuns')
    .selectAll()
    .where('scheduleId', '=', scheduleId)
    .orderBy('scheduledAt', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.marker !== undefined) {
    const last = await database
      .selectFrom('scheduleRuns')
      .select(['id', 'scheduledAt'])
      .where('id', '=', filter.marker)
      .where('scheduleId', '=', scheduleId)
      .executeTakeFirst()
    if (last === undefined)
      throw new RequestError(404, 'runNotFound', `Run ${filter.marker} could not be found.`)
    query = query.where((eb) =>
      eb(eb.refTuple('scheduledAt', 'id'), '<', eb.tuple(last.scheduledAt, last.id)),
    )
  }
  return query.execute()
}
