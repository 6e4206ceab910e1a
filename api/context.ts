import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ApiDependencies } from './dependencies.ts'
import type { Dispatches } from './dispatches.ts'
import type { EventBell } from './streams/event-bell.ts'

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>

/** What every route gets. */
export interface ApiContext extends ApiDependencies {
  readonly dispatches: Dispatches
  readonly bell: EventBell
  /** Aborted when the server closes: uploads and watchers end instead of holding it up. */
  readonly closing: AbortSignal
}
