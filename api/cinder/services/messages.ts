import type { FastifyRequest } from 'fastify'
import { listRows, type Row } from '../../../database/cinder/list.ts'
import { deleteMessage, messageOf } from '../../../database/cinder/messages.ts'
import { sees } from '../../../domain/policy.ts'
import type { ApiContext, App } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { Fault } from '../fault.ts'
import { ID_PARAMS } from '../fields.ts'
import { linksFor, type LinksOf } from '../links.ts'
import { equals, type ListKind, parseListQuery } from '../list-query.ts'
import { since } from '../microversion.ts'
import { pageOf } from '../pages.ts'
import { cinderTime } from '../times.ts'

const MESSAGES: ListKind = {
  table: 'messages',
  sortColumns: {
    ...{ id: 'id', created_at: 'createdAt', event_id: 'eventId', message_level: 'level' },
    ...{ resource_type: 'resourceType', resource_uuid: 'resourceId', request_id: 'requestId' },
  },
  filters: {
    ...{ resource_uuid: equals('resourceId'), resource_type: equals('resourceType') },
    ...{ event_id: equals('eventId'), request_id: equals('requestId'), message_level: equals('level') },
  },
}

const SINCE = 3
const tags = ['messages']

/** Why something failed after it was accepted. */
export function messageRoutes(app: App, context: ApiContext): void {
  app.get('/messages', { schema: { tags, summary: 'List messages' } }, async (request) => {
    since(request, SINCE)
    const query = parseListQuery(request, MESSAGES)
    const rows = await listRows(context.database, 'messages', query.listing)
    const links = linksFor(context, request)
    const items = rows.map((row) => messageView(row, links))
    return pageOf(context, request, 'messages', { query, rows, items, count: async () => rows.length })
  })
  app.get(
    '/messages/:id',
    { schema: { tags, summary: 'Show a message', params: ID_PARAMS } },
    async (request) => {
      since(request, SINCE)
      const row = await requireMessage(context, request, request.params.id)
      return { message: messageView(row, linksFor(context, request)) }
    },
  )
  app.delete(
    '/messages/:id',
    { schema: { tags, summary: 'Delete a message', params: ID_PARAMS } },
    async (request, reply) => {
      since(request, SINCE)
      const { id } = await requireMessage(context, request, request.params.id)
      await deleteMessage(context.database, id)
      return reply.code(204).send()
    },
  )
}

async function requireMessage({ database }: ApiContext, request: FastifyRequest, id: string) {
  const row = await messageOf(database, id)
  if (row !== undefined && sees(callerOf(request), row.projectId)) return row
  throw new Fault(404, `Message ${id} could not be found.`)
}

function messageView(row: Row<'messages'>, links: LinksOf) {
  return {
    id: row.id,
    event_id: row.eventId,
    message_level: row.level,
    request_id: row.requestId,
    resource_type: row.resourceType,
    resource_uuid: row.resourceId,
    user_message: row.text,
    created_at: cinderTime(row.createdAt),
    guaranteed_until: cinderTime(row.expiresAt),
    links: links('messages', row.id),
  }
}
