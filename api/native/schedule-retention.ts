import { z } from 'zod'
import { alarmsOf } from '../../database/schedules/alarms.ts'
import { requireSchedule } from '../../database/schedules/read.ts'
import { applyRetention, retentionOf } from '../../database/schedules/retention.ts'
import { RequestError } from '../../domain/errors.ts'
import type { Retention } from '../../domain/retention.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { ERRORS, ID_PARAMS, PAGE } from './fields.ts'
import { RETENTION_PAGE, RETENTION_RULES, SCHEDULE_ALARM, SCHEDULE_PRUNED } from './schedule-schemas.ts'
import { retentionView } from './schedule-views.ts'

const tags = ['schedules']

/** The rules in the query, where there are any, are tried out instead of the schedule's own. */
const RETENTION_QUERY = z.strictObject({
  ...PAGE,
  ...Object.fromEntries(
    Object.keys(RETENTION_RULES).map((rule) => [rule, z.coerce.number().int().min(1).exactOptional()]),
  ),
})

export function scheduleRetentionRoutes(app: App, { database, dispatches }: ApiContext): void {
  app.get(
    '/schedules/:id/retention',
    {
      schema: {
        tags,
        summary:
          'Say of each backup of a schedule whether it stays, and why; rules in the query are tried out',
        params: ID_PARAMS,
        querystring: RETENTION_QUERY,
        response: { 200: RETENTION_PAGE, ...ERRORS },
      },
    },
    async (request) => {
      const { limit, marker, ...rules } = request.query
      const key = { ...request.params, projectId: actorOf(request).projectId }
      const schedule = await requireSchedule(database, key)
      const tried = Object.keys(rules).length === 0 ? undefined : (rules as Retention)
      const decided = await retentionOf(database, schedule, Date.now(), tried)
      const from = marker === undefined ? 0 : decided.findIndex(({ id }) => id === marker) + 1
      const items = decided.slice(from, from + limit).map(retentionView)
      const next = from + limit < decided.length ? (items.at(-1)?.backupId ?? null) : null
      return { items, next }
    },
  )
  app.post(
    '/schedules/:id/prune',
    {
      schema: {
        tags,
        summary: 'Delete now what no rule of the schedule keeps',
        params: ID_PARAMS,
        response: { 202: SCHEDULE_PRUNED, ...ERRORS },
      },
    },
    async (request, reply) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      const schedule = await requireSchedule(database, key)
      if (schedule.retention === null)
        throw new RequestError(
          409,
          'noRetention',
          `Schedule ${schedule.id} deletes nothing. Give it a retention first.`,
        )
      const deletions = await applyRetention(database, schedule, Date.now())
      for (const { operationId } of deletions) dispatches.start(operationId)
      return reply.code(202).send({ deletions })
    },
  )
  app.get(
    '/schedules/:id/alarms',
    {
      schema: {
        tags,
        summary: 'List volumes of a schedule without a good backup for too long',
        params: ID_PARAMS,
        response: { 200: z.object({ items: z.array(SCHEDULE_ALARM) }), ...ERRORS },
      },
    },
    async (request) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      const { id } = await requireSchedule(database, key)
      const items = await alarmsOf(database, id)
      return {
        items: items.map(({ volumeId, raisedAt, lastGoodAt }) => ({ volumeId, raisedAt, lastGoodAt })),
      }
    },
  )
}
