import { z } from 'zod'
import { backlogs, listWebhooks, requireWebhook, type WebhookRow } from '../../database/webhooks/read.ts'
import { createWebhook, deleteWebhook, updateWebhook } from '../../database/webhooks/write.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { pageOf } from './answers.ts'
import { ERRORS, ID_PARAMS, NAME, PAGE } from './fields.ts'
import { CREATE_WEBHOOK, UPDATE_WEBHOOK, WEBHOOK, WEBHOOK_PAGE, WEBHOOK_SECRET } from './webhook-schemas.ts'
import { webhookView } from './webhook-views.ts'

const QUERY = z.strictObject({ ...PAGE, name: NAME.exactOptional() })

const tags = ['webhooks']
const answers = { 200: WEBHOOK, ...ERRORS }

/** The rows alone are written here: the control worker delivers. */
export function webhookRoutes(app: App, context: ApiContext): void {
  const { database, webhooks } = context
  app.post(
    '/webhooks',
    {
      schema: {
        tags,
        summary: 'Send what happens to a URL',
        description:
          'Signed messages as Standard Webhooks has them. The secret that verifies them is in this answer alone.',
        body: CREATE_WEBHOOK,
        response: { 201: WEBHOOK_SECRET, ...ERRORS },
      },
    },
    async (request, reply) => {
      const actor = actorOf(request)
      const wanted = { ...request.body, url: webhooks.checkUrl(request.body.url) }
      const { resourceId: id } = await createWebhook(database, actor, wanted, webhooks.secretOf)
      const webhook = await requireWebhook(database, { id, projectId: actor.projectId })
      return reply.code(201).send(await withSecret(context, webhook))
    },
  )
  readRoutes(app, context)
  changeRoutes(app, context)
}

export async function shown({ database }: ApiContext, webhook: WebhookRow): Promise<z.infer<typeof WEBHOOK>> {
  const waiting = await backlogs(database, [webhook])
  return webhookView(webhook, waiting.get(webhook.id) ?? 0)
}

export async function withSecret(
  context: ApiContext,
  webhook: WebhookRow,
): Promise<z.infer<typeof WEBHOOK_SECRET>> {
  const { secret } = context.webhooks.secretOf(webhook.id, webhook.secretGeneration)
  return { webhook: await shown(context, webhook), secret }
}

function readRoutes(app: App, context: ApiContext): void {
  const { database } = context
  app.get(
    '/webhooks',
    {
      schema: {
        tags,
        summary: 'List webhooks, newest first',
        querystring: QUERY,
        response: { 200: WEBHOOK_PAGE, ...ERRORS },
      },
    },
    async (request) => {
      const filter = { ...request.query, projectId: actorOf(request).projectId }
      const page = await pageOf(
        filter.limit,
        (limit) => listWebhooks(database, { ...filter, limit }),
        (row) => row,
      )
      const waiting = await backlogs(database, page.items)
      return { ...page, items: page.items.map((row) => webhookView(row, waiting.get(row.id) ?? 0)) }
    },
  )
  app.get(
    '/webhooks/:id',
    { schema: { tags, summary: 'Show one webhook', params: ID_PARAMS, response: answers } },
    async (request) => {
      const { projectId } = actorOf(request)
      return shown(context, await requireWebhook(database, { ...request.params, projectId }))
    },
  )
}

function changeRoutes(app: App, context: ApiContext): void {
  const { database, webhooks } = context
  app.patch(
    '/webhooks/:id',
    {
      schema: {
        tags,
        summary: 'Change a webhook',
        description: 'The change applies to events that wait, too.',
        params: ID_PARAMS,
        body: UPDATE_WEBHOOK,
        response: answers,
      },
    },
    async (request) => {
      const key = { ...request.params, projectId: actorOf(request).projectId }
      const { url, ...rest } = request.body
      const change = { ...rest, ...(url === undefined ? {} : { url: webhooks.checkUrl(url) }) }
      return shown(context, await updateWebhook(database, key, change))
    },
  )
  app.delete(
    '/webhooks/:id',
    { schema: { tags, summary: 'Delete a webhook', params: ID_PARAMS, response: answers } },
    async (request) => {
      const { projectId } = actorOf(request)
      return webhookView(await deleteWebhook(database, { ...request.params, projectId }), 0)
    },
  )
}
