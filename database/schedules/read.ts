import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
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

interface PageFilter {
  readonly projectId: string
  readonly limit: number
  /** Id of the last item of the page before. */
  readonly marker?: string
}

export interface ScheduleFilter extends PageFilter {
  readonly name?: string
  readonly volumeId?: string
}

/** Newest first. */
export async function listSchedules(database: Database, filter: ScheduleFilter): Promise<ScheduleRow[]> {
  let query = database
    .selectFrom('schedules')
    .selectAll()
    .where('projectId', '=', filter.projectId)
    .orderBy('createdAt', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.volumeId !== undefined) query = query.where('volumeId', '=', filter.volumeId)
  if (filter.marker !== undefined) {
    const last = await requireSchedule(database, { id: filter.marker, projectId: filter.projectId })
    query = query.where((eb) => eb(eb.refTuple('createdAt', 'id'), '<', eb.tuple(last.createdAt, last.id)))
  }
  return query.execute()
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
    .limit(filter.limit)
  if (filter.marker !== undefined) {
    const last = await database
      .selectFrom('scheduleRuns')
      .select('scheduledAt')
      .where('id', '=', filter.marker)
      .where('scheduleId', '=', scheduleId)
      .executeTakeFirst()
    if (last === undefined)
      throw new RequestError(404, 'runNotFound', `Run ${filter.marker} could not be found.`)
    query = query.where('scheduledAt', '<', last.scheduledAt)
  }
  return query.execute()
}
