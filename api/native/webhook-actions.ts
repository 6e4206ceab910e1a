import { z } from 'zod'
import { listDeliveries, requireDelivery } from '../../database/webhooks/read.ts'
import { requestTest, retryWebhook, rotateSecret } from '../../database/webhooks/write.ts'
import { LIMITS } from '../../domain/limits.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { ERRORS, ID, ID_PARAMS, PAGE } from './fields.ts'
import {
  DELIVERY,
  DELIVERY_PAGE,
  RETRY_WEBHOOK,
  ROTATE_SECRET,
  WEBHOOK,
  WEBHOOK_SECRET,
} from './webhook-schemas.ts'
import { deliveryView } from './webhook-views.ts'
import { shown, withSecret } from './webhooks.ts'

const NUMBER = z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER)
const DELIVERIES_QUERY = z.strictObject({
  limit: PAGE.limit,
  before: NUMBER.exactOptional().describe('Number of the last item of the page before: its `next`'),
})

const tags = ['webhooks']

/** What is done with a webhook that exists. */
export function webhookActionRoutes(app: App, context: ApiContext): void {
  const { database, webhooks } = context
  app.post(
    '/webhooks/:id/retry',
    {
      schema: {
        tags,
        summary: 'Try now to deliver what waits; enables the webhook',
        params: ID_PARAMS,
        body: RETRY_WEBHOOK,
        response: { 200: WEBHOOK, ...ERRORS },
      },
    },
    async (request) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      return shown(context, await retryWebhook(database, key, request.body?.after))
    },
  )
  app.post(
    '/webhooks/:id/rotate-secret',
    {
      schema: {
        tags,
        summary: 'Give a webhook a new secret',
        params: ID_PARAMS,
        body: ROTATE_SECRET,
        response: { 200: WEBHOOK_SECRET, ...ERRORS },
      },
    },
    async (request) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      const oldSeconds = request.body?.oldSecretSeconds ?? LIMITS.webhookOldSecretDefaultSeconds
      return withSecret(context, await rotateSecret(database, key, oldSeconds, webhooks.secretOf))
    },
  )
  deliveryRoutes(app, context)
}

function deliveryRoutes(app: App, { database }: ApiContext): void {
  app.post(
    '/webhooks/:id/test',
    {
      schema: {
        tags,
        summary: 'Have a test message sent, also while the webhook is disabled',
        description: 'Sent once, by whoever delivers; `GET` the delivery for its outcome.',
        params: ID_PARAMS,
        response: { 202: DELIVERY, ...ERRORS },
      },
    },
    async (request, reply) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      return reply.code(202).send(deliveryView(await requestTest(database, key)))
    },
  )
  app.get(
    '/webhooks/:id/deliveries',
    {
      schema: {
        tags,
        summary: `List tries to deliver, newest first; the last ${LIMITS.webhookDeliveriesKept} are kept`,
        params: ID_PARAMS,
        querystring: DELIVERIES_QUERY,
        response: { 200: DELIVERY_PAGE, ...ERRORS },
      },
    },
    async (request) => {
      const { limit, ...rest } = request.query
      const filter = { ...rest, webhookId: request.params.id, projectId: actorOf(request).projectId }
      const rows = await listDeliveries(database, { ...filter, limit: limit + 1 })
      const items = rows.slice(0, limit).map(deliveryView)
      return { items, next: rows.length > limit ? (items.at(-1)?.number ?? null) : null }
    },
  )
  app.get(
    '/webhooks/:id/deliveries/:number',
    {
      schema: {
        tags,
        summary: 'Show one try to deliver',
        params: z.strictObject({ id: ID, number: NUMBER }),
        response: { 200: DELIVERY, ...ERRORS },
      },
    },
    async (request) => {
      const { projectId } = actorOf(request)
      return deliveryView(await requireDelivery(database, { ...request.params, projectId }))
    },
  )
}
