import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../database/operations/accept.ts'
import { RequestError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { callerOf } from './identity/caller.ts'
import { quoted } from './validation-message.ts'

const REQUEST_ID = new RegExp(`^req-[A-Za-z0-9-]{1,${LIMITS.requestIdLengthMax}}$`)
const IDEMPOTENCY_KEY = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.idempotencyKeyLengthMax}}$`)

/** The caller, as the database notes who asked. Throws RequestError 400 for a malformed idempotency key. */
export function actorOf(request: FastifyRequest): Actor {
  const { projectId, userId } = callerOf(request)
  const idempotencyKey = idempotencyKeyOf(request)
  return {
    projectId,
    userId,
    requestId: request.id,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  }
}

/** The caller's request id where it is one, so that a request can be followed through several services. */
export function requestIdOf(message: Pick<IncomingMessage, 'headers'>): string {
  const given = message.headers['x-openstack-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : `req-${randomUUID()}`
}

function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const value = request.headers['idempotency-key']
  if (value === undefined) return undefined
  if (typeof value === 'string' && IDEMPOTENCY_KEY.test(value)) return value
  throw new RequestError(
    400,
    'invalidHeader',
    `Expected header idempotency-key to match ${IDEMPOTENCY_KEY.source}, got ${quoted(value)}.`,
  )
}
