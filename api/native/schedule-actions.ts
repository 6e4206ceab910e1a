import { z } from 'zod'
import { listRuns } from '../../database/schedules/read.ts'
import { requestRun } from '../../database/schedules/start-run.ts'
import { setPaused } from '../../database/schedules/write.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { accept, pageOf, showIfPresent } from './answers.ts'
import { ERRORS, ID_PARAMS, PAGE } from './fields.ts'
import { PAUSE_SCHEDULE, SCHEDULE, SCHEDULE_RUN_PAGE } from './schedule-schemas.ts'
import { scheduleRunView, scheduleView } from './schedule-views.ts'
import { BACKUP_ACCEPTED } from './schemas.ts'
import { backupView } from './views.ts'

const tags = ['schedules']

export function scheduleActionRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/schedules/:id/run',
    {
      schema: {
        tags,
        summary: 'Run a schedule now, also while it is paused',
        params: ID_PARAMS,
        response: { 202: BACKUP_ACCEPTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const accepted = await requestRun(database, actor, places, request.params.id)
      const operation = await accept(context, actor, accepted)
      const key = { id: accepted.resourceId, projectId: actor.projectId }
      const backup = await showIfPresent(context, 'backup', key, backupView)
      return reply.code(202).send({ backup, operation })
    },
  )
  for (const [action, paused, summary] of [
    ['pause', true, 'Pause a schedule: no run starts until it is unpaused'],
    ['unpause', false, 'Let a paused schedule run again'],
  ] as const) {
    app.post(
      `/schedules/:id/${action}`,
      {
        schema: {
          tags,
          summary,
          params: ID_PARAMS,
          body: PAUSE_SCHEDULE,
          response: { 200: SCHEDULE, ...ERRORS },
        },
      },
      async (request) => {
        const key = { ...request.params, projectId: actorOf(request).projectId }
        return scheduleView(await setPaused(database, key, { paused, ...request.body }))
      },
    )
  }
  app.get(
    '/schedules/:id/runs',
    {
      schema: {
        tags,
        summary: 'List the runs of a schedule, latest first, with those that did not start',
        params: ID_PARAMS,
        querystring: z.strictObject(PAGE),
        response: { 200: SCHEDULE_RUN_PAGE, ...ERRORS },
      },
    },
    async (request) => {
      const filter = {
        ...request.query,
        scheduleId: request.params.id,
        projectId: actorOf(request).projectId,
      }
      return pageOf(filter.limit, (limit) => listRuns(database, { ...filter, limit }), scheduleRunView)
    },
  )
}
