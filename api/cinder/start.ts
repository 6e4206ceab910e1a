import type { FastifyReply } from 'fastify'
import type { Accepted } from '../../database/operations/idempotency.ts'
import type { ApiContext } from '../context.ts'

/** Dispatches what was accepted, and names it in the header `Operation-Id`: what Cinder's dialect cannot say, /operations/v1 does. */
export function start(context: ApiContext, reply: FastifyReply, { operationId }: Accepted): void {
  if (operationId === null) return
  context.dispatches.start(operationId)
  void reply.header('operation-id', operationId)
}
