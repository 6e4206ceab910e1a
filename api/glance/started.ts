import type { FastifyReply } from 'fastify'
import type { ApiContext } from '../context.ts'

/** Dispatches an operation, and names it to clients that know of such things. */
export function started(context: ApiContext, reply: FastifyReply, operationId: string | null): FastifyReply {
  if (operationId === null) return reply
  context.dispatches.start(operationId)
  return reply.header('operation-id', operationId)
}
