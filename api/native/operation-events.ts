import type { ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { z } from 'zod'
import { LIMITS } from '../../domain/limits.ts'
import { requireOperation } from '../../database/operations/read.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext, App } from '../context.ts'
import { HttpError } from '../http-error.ts'
import { ERRORS, ID_PARAMS } from './fields.ts'
import type { OPERATION } from './schemas.ts'
import { operationView } from './views.ts'

type Operation = z.infer<typeof OPERATION>

const SCHEMA = {
  tags: ['operations'],
  summary: 'Follow an operation: server-sent events',
  description:
    'An event `operation` with the whole operation at the start and after each change; the stream ends after the one whose state is final.',
  produces: ['text/event-stream'],
  params: ID_PARAMS,
  response: ERRORS,
}

export function operationEventRoutes(app: App, context: ApiContext): void {
  let watchers = 0
  app.get('/operations/:id/events', { schema: SCHEMA }, async (request, reply) => {
    const key = { operationId: request.params.id, projectId: actorOf(request).projectId }
    const read = async () => operationView(await requireOperation(context.database, key))
    const first = await read()
    if (watchers >= LIMITS.watchersMax) {
      void reply.header('retry-after', '5')
      throw new HttpError(
        503,
        'tooManyWatchers',
        'Too many clients watch operations now. Try again, or ask for the operation.',
      )
    }
    watchers += 1
    try {
      reply.hijack()
      await stream(reply.raw, request.id, { first, read, closing: context.closing })
    } catch (error) {
      request.log.error({ err: error }, 'watching an operation failed')
    } finally {
      watchers -= 1
      reply.raw.end()
    }
  })
}

interface Watch {
  readonly first: Operation
  readonly read: () => Promise<Operation>
  readonly closing: AbortSignal
}

async function stream(
  response: ServerResponse,
  requestId: string,
  { first, read, closing }: Watch,
): Promise<void> {
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const signal = AbortSignal.any([gone.signal, closing])
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    // Kept alive after its end, it would hold up a service that is being stopped.
    connection: 'close',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'x-openstack-request-id': requestId,
  })
  const startedMs = performance.now()
  let sent = ''
  let sentMs = startedMs
  for (let operation = first; !signal.aborted; operation = await read()) {
    // A slow reader misses steps in between, and never the newest state: nothing queues up for it here.
    if (!response.writableNeedDrain) {
      const data = JSON.stringify(operation)
      const message = data === sent ? comment(sentMs) : `event: operation\ndata: ${data}\n\n`
      if (message !== undefined) {
        response.write(message)
        sentMs = performance.now()
      }
      sent = data
      if (operation.finishedAt !== null) return
    }
    const isNew = performance.now() - startedMs < LIMITS.watchFirstMs
    await delay(isNew ? LIMITS.watchFirstIntervalMs : LIMITS.watchIntervalMs, undefined, { signal }).catch(
      () => undefined,
    )
  }
}

/** Keeps the connection alive, and shows a dead one. */
function comment(sentMs: number): string | undefined {
  return performance.now() - sentMs >= LIMITS.watchCommentMs ? ': still here\n\n' : undefined
}
