import { z } from 'zod'
import {
  alarmCounts,
  listSchedules,
  requireSchedule,
  type ScheduleRow,
} from '../../database/schedules/read.ts'
import { createSchedule, deleteSchedule, updateSchedule } from '../../database/schedules/write.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { pageOf } from './answers.ts'
import { ERRORS, ID_PARAMS, NAME, PAGE } from './fields.ts'
import { CREATE_SCHEDULE, SCHEDULE, SCHEDULE_PAGE, UPDATE_SCHEDULE } from './schedule-schemas.ts'
import { scheduleView } from './schedule-views.ts'

const QUERY = z.strictObject({ ...PAGE, name: NAME.exactOptional() })

const tags = ['schedules']
const answers = { 200: SCHEDULE, ...ERRORS }

/** The rows alone are written here: the reconciler tells Temporal. */
export function scheduleRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/schedules',
    {
      schema: {
        tags,
        summary: 'Back up volumes again and again',
        body: CREATE_SCHEDULE,
        response: { 201: SCHEDULE, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const { resourceId: id } = await createSchedule(database, actor, places, request.body)
      const { projectId } = actor
      return reply.code(201).send(await shown(context, await requireSchedule(database, { id, projectId })))
    },
  )
  readRoutes(app, context)
  changeRoutes(app, context)
}

function readRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.get(
    '/schedules',
    {
      schema: {
        tags,
        summary: 'List schedules, newest first',
        querystring: QUERY,
        response: { 200: SCHEDULE_PAGE, ...ERRORS },
      },
    },
    async (request) => {
      const filter = { ...request.query, projectId: actorOf(request).projectId }
      const page = await pageOf(
        filter.limit,
        (limit) => listSchedules(database, { ...filter, limit }),
        (row) => row,
      )
      const counts = await alarmCounts(database, page.items)
      return { ...page, items: page.items.map((row) => scheduleView(row, counts.get(row.id) ?? 0)) }
    },
  )
  app.get(
    '/schedules/:id',
    { schema: { tags, summary: 'Show one schedule', params: ID_PARAMS, response: answers } },
    async (request) => {
      const { projectId } = actorOf(request)
      return shown(context, await requireSchedule(database, { ...request.params, projectId }))
    },
  )
}

function changeRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.patch(
    '/schedules/:id',
    {
      schema: {
        tags,
        summary: 'Change a schedule',
        params: ID_PARAMS,
        body: UPDATE_SCHEDULE,
        response: answers,
      },
    },
    async (request) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      return shown(context, await updateSchedule(database, places, key, request.body))
    },
  )
  app.delete(
    '/schedules/:id',
    {
      schema: {
        tags,
        summary: 'Delete a schedule; its backups stay',
        params: ID_PARAMS,
        response: answers,
      },
    },
    async (request) => {
      const { projectId } = actorOf(request)
      return shown(context, await deleteSchedule(database, { ...request.params, projectId }))
    },
  )
}

export async function shown({ database }: ApiContext, row: ScheduleRow) {
  return scheduleView(row, (await alarmCounts(database, [row])).get(row.id) ?? 0)
}
