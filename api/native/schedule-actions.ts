import { z } from 'zod'
import { listRuns } from '../../database/schedules/read.ts'
import { requestRun } from '../../database/schedules/start-run.ts'
import { setPaused } from '../../database/schedules/write.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { pageOf } from './answers.ts'
import { ERRORS, ID_PARAMS, PAGE } from './fields.ts'
import { PAUSE_SCHEDULE, SCHEDULE, SCHEDULE_RUN_PAGE, SCHEDULE_STARTED } from './schedule-schemas.ts'
import { scheduleRunView } from './schedule-views.ts'
import { shown } from './schedules.ts'

const tags = ['schedules']

export function scheduleActionRoutes(app: App, context: ApiContext): void {
  const { database, places } = context
  app.post(
    '/schedules/:id/run',
    {
      schema: {
        tags,
        summary: 'Run a schedule now, also while it is paused; what is busy is not waited for',
        params: ID_PARAMS,
        response: { 202: SCHEDULE_STARTED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const runs = await requestRun(database, actorOf(request), places, request.params.id)
      for (const { operationId } of runs) if (operationId !== null) context.dispatches.start(operationId)
      return reply.code(202).send({ runs: runs.map(scheduleRunView) })
    },
  )
  pauseRoutes(app, context)
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
      const { projectId } = actorOf(request)
      const filter = { ...request.query, scheduleId: request.params.id, projectId }
      return pageOf(filter.limit, (limit) => listRuns(database, { ...filter, limit }), scheduleRunView)
    },
  )
}

function pauseRoutes(app: App, context: ApiContext): void {
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
        return shown(context, await setPaused(context.database, key, { paused, ...request.body }))
      },
    )
  }
}
