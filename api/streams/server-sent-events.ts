import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { LIMITS } from '../../domain/limits.ts'

export interface ServerSentEvent {
  /** Where a client that lost the connection goes on. */
  readonly id: number
  readonly event: string
  readonly data: unknown
}

/** One client's end of a stream. */
export interface EventStream {
  /** Fires when the client is gone or the service stops. */
  readonly signal: AbortSignal
  /** Resolves when there is room for more; a client that makes none is cut off. */
  send(events: readonly ServerSentEvent[]): Promise<void>
  /** Keeps the connection alive, shows a dead one, and tells the client that there was nothing for it up to this id. */
  ping(id: number): Promise<void>
}

/** Answers with a stream for as long as `work` runs. */
export async function streamEvents(
  request: FastifyRequest,
  reply: FastifyReply,
  closing: AbortSignal,
  work: (stream: EventStream) => Promise<void>,
): Promise<void> {
  reply.hijack()
  const response = reply.raw
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    // A connection that is kept for another request would hold up a service that stops.
    connection: 'close',
    'x-openstack-request-id': request.id,
  })
  // News may come late, but the answer begins now.
  response.flushHeaders()
  const signal = AbortSignal.any([gone.signal, closing])
  try {
    await work({
      signal,
      send: async (events) => {
        if (events.length > 0) await write(response, signal, events.map(format).join(''))
      },
      ping: (id) => write(response, signal, `: still here\nid: ${id}\n\n`),
    })
  } catch (error) {
    if (!signal.aborted) request.log.error({ err: error }, 'a stream of events failed')
  } finally {
    response.end()
  }
}

function format({ id, event, data }: ServerSentEvent): string {
  return `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}

async function write(response: ServerResponse, signal: AbortSignal, text: string): Promise<void> {
  signal.throwIfAborted()
  if (response.write(text)) return
  const stalled = AbortSignal.timeout(LIMITS.watchStallMs)
  try {
    await once(response, 'drain', { signal: AbortSignal.any([signal, stalled]) })
  } catch (error) {
    if (stalled.aborted) response.destroy()
    throw error
  }
}
