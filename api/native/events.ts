import { z } from 'zod'
import {
  type EventFilter,
  type EventPosition,
  eventPosition,
  type EventRow,
  eventsAfter,
  requireKept,
} from '../../database/events/read.ts'
import { LIMITS } from '../../domain/limits.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import type { Watching } from '../streams/event-bell.ts'
import { type EventStream, streamEvents } from '../streams/server-sent-events.ts'
import { ERRORS, EVENT_ID, ID, PAGE, STREAM_HEADERS } from './fields.ts'
import { EVENT_PAGE } from './schemas.ts'
import { eventView } from './views.ts'

const FILTER = {
  operationId: ID.exactOptional(),
  resourceId: ID.exactOptional().describe('The resource that the operation is about'),
  after: EVENT_ID.exactOptional().describe('Only events with a larger id; 0: from the oldest that is kept'),
}

const LIST_QUERY = z.strictObject({ ...FILTER, limit: PAGE.limit })
const STREAM_QUERY = z.strictObject(FILTER)

const tags = ['events']

export function eventRoutes(app: App, context: ApiContext): void {
  const { database } = context
  const list = { tags, summary: 'List events, oldest first', querystring: LIST_QUERY }
  app.get('/events', { schema: { ...list, response: { 200: EVENT_PAGE, ...ERRORS } } }, async (request) => {
    const { limit, after = 0, ...filter } = request.query
    requireKept(after, await eventPosition(database))
    const rows = await eventsAfter(
      database,
      { ...filter, projectId: actorOf(request).projectId },
      { afterId: after, limit: limit + 1 },
    )
    const items = rows.slice(0, limit).map(eventView)
    return { items, next: rows.length > limit ? (items.at(-1)?.id ?? null) : null }
  })
  const stream = {
    tags,
    summary: 'Follow events: server-sent events',
    description:
      'Each event under its id and type, then new ones as they come. A client that comes back with `Last-Event-ID` gets exactly the ' +
      'rest. Without that and without `after`: from now on.',
    produces: ['text/event-stream'],
    querystring: STREAM_QUERY,
    headers: STREAM_HEADERS,
    response: ERRORS,
  }
  app.get('/events/stream', { schema: stream }, async (request, reply) => {
    const { after, ...query } = request.query
    const filter = { ...query, projectId: actorOf(request).projectId }
    const position = await eventPosition(database)
    const afterId = request.headers['last-event-id'] ?? after ?? position.lastId
    requireKept(afterId, position)
    const watching = context.bell.watch(
      (event) =>
        event.projectId === filter.projectId &&
        event.operationId === (filter.operationId ?? event.operationId) &&
        event.resourceId === (filter.resourceId ?? event.resourceId),
    )
    try {
      await streamEvents(request, reply, context.closing, (stream) =>
        follow(context, { filter, afterId }, watching, stream),
      )
    } finally {
      watching.stop()
    }
  })
}

async function follow(
  { database }: ApiContext,
  { filter, afterId }: { filter: EventFilter; afterId: number },
  watching: Watching,
  stream: EventStream,
): Promise<void> {
  // Without events the client still learns where to go on.
  await stream.ping(afterId)
  for (let cursor = afterId; ;) {
    const isQuiet = !(await watching.news(LIMITS.watchCommentMs, stream.signal))
    let events: EventRow[]
    let position: EventPosition
    do {
      // In this order: whatever is not found now has a larger id than this.
      position = await eventPosition(database)
      events = await eventsAfter(database, filter, { afterId: cursor, limit: LIMITS.watchEvents })
      cursor = events.at(-1)?.id ?? cursor
      await stream.send(events.map((event) => ({ id: event.id, event: event.type, data: eventView(event) })))
    } while (events.length === LIMITS.watchEvents)
    if (events.length === 0) cursor = Math.max(cursor, position.lastId)
    if (isQuiet) await stream.ping(cursor)
  }
}
