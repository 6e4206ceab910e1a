import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import { RequestError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Actor } from '../database/operations/accept.ts'
import { quoted } from './validation-message.ts'

const ID = /^[A-Za-z0-9_-]{1,64}$/
const REQUEST_ID = new RegExp(`^req-[A-Za-z0-9-]{1,${LIMITS.requestIdLengthMax}}$`)
const IDEMPOTENCY_KEY = new RegExp(`^[\\x21-\\x7e]{1,${LIMITS.idempotencyKeyLengthMax}}$`)

/** Who asks, from the headers. Throws RequestError 400 for one that is malformed. */
export function actorOf(request: FastifyRequest): Actor {
  const idempotencyKey = header(request, 'idempotency-key', IDEMPOTENCY_KEY)
  return {
    projectId: header(request, 'x-project-id', ID) ?? 'default',
    userId: header(request, 'x-user-id', ID) ?? 'local',
    requestId: request.id,
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  }
}

/** The caller's request id where it is one, so that a request can be followed through several services. */
export function requestIdOf(message: Pick<IncomingMessage, 'headers'>): string {
  const given = message.headers['x-openstack-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : `req-${randomUUID()}`
}

function header(request: FastifyRequest, name: string, pattern: RegExp): string | undefined {
  const value = request.headers[name]
  if (value === undefined) return undefined
  if (typeof value === 'string' && pattern.test(value)) return value
  throw new RequestError(
    400,
    'invalidHeader',
    `Expected header ${name} to match ${pattern.source}, got ${quoted(value)}.`,
  )
}
