import { eventPosition, eventsAfter } from '../../database/events/read.ts'
import type { Database } from '../../database/open.ts'
import { requireOperation } from '../../database/operations/read.ts'
import { LIMITS } from '../../domain/limits.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { streamEvents } from '../streams/server-sent-events.ts'
import { ERRORS, ID_PARAMS, STREAM_HEADERS } from './fields.ts'
import { operationView } from './views.ts'

const SCHEMA = {
  tags: ['operations'],
  summary: 'Follow an operation: server-sent events',
  description:
    'An event `operation` with the whole operation at the start and after each change; the stream ends after the one whose state is ' +
    'final. A slow reader misses steps in between, and never the newest state; `/events/stream` tells every one.',
  produces: ['text/event-stream'],
  params: ID_PARAMS,
  headers: STREAM_HEADERS,
  response: ERRORS,
}

export function operationEventRoutes(app: App, context: ApiContext): void {
  const { database, bell, closing } = context
  app.get('/operations/:id/events', { schema: SCHEMA }, async (request, reply) => {
    const key = { operationId: request.params.id, projectId: actorOf(request).projectId }
    let sent = await seenBefore(database, key, request.headers['last-event-id'])
    const watching = bell.watch((event) => event.operationId === key.operationId)
    try {
      await streamEvents(request, reply, closing, async (stream) => {
        for (;;) {
          const isQuiet = !(await watching.news(LIMITS.watchCommentMs, stream.signal))
          // In this order: the operation is at least as new as the id that it is sent under.
          const { lastId } = await eventPosition(database)
          const operation = operationView(await requireOperation(database, key))
          const data = JSON.stringify(operation)
          if (data !== sent || operation.finishedAt !== null)
            await stream.send([{ id: lastId, event: 'operation', data: operation }])
          else if (isQuiet) await stream.ping(lastId)
          sent = data
          if (operation.finishedAt !== null) return
        }
      })
    } finally {
      watching.stop()
    }
  })
}

/** What a client that comes back has seen already: the operation, if nothing happened to it since. Throws RequestError 404. */
async function seenBefore(
  database: Database,
  key: { operationId: string; projectId: string },
  lastEventId: number | undefined,
): Promise<string> {
  const operation = JSON.stringify(operationView(await requireOperation(database, key)))
  if (lastEventId === undefined) return ''
  const news = await eventsAfter(database, key, { afterId: lastEventId, limit: 1 })
  return news.length === 0 ? operation : ''
}
