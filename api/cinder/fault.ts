import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { answerOf } from '../error-answer.ts'

/** A refusal with a status that only Cinder's dialect has. */
export class Fault extends Error {
  override readonly name = 'Fault'
  readonly status: 400 | 403 | 404 | 406 | 409 | 413 | 501 | 503

  constructor(status: Fault['status'], message: string) {
    super(message)
    this.status = status
  }
}

const NAMES: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

/** Ours is a conflict with what the resource is doing; Cinder takes most of these for a wrong request. */
const CONFLICTS = new Set(['idempotencyKeyReused', 'alreadyExists', 'conflict'])

/** The error handler below /volume: `{badRequest: {code, message}}`. */
export function answerFault(error: FastifyError | Fault, request: FastifyRequest, reply: FastifyReply) {
  const { status, message } = faultOf(error, request)
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  const retry = status === 413 || status === 503 ? { retryAfter: status === 413 ? '0' : '5' } : {}
  if (status === 503) void reply.header('retry-after', '5')
  return reply
    .code(status)
    .type('application/json')
    .send({ [NAMES[status] ?? 'computeFault']: { code: status, message, ...retry } })
}

function faultOf(error: FastifyError | Fault, request: FastifyRequest): { status: number; message: string } {
  if (error instanceof Fault) return error
  if (error instanceof RequestError && error.status === 409)
    return { status: CONFLICTS.has(error.code) ? 409 : 400, message: error.message }
  if (error instanceof RequestError && error.status === 410) return { status: 400, message: error.message }
  const { status, message } = answerOf(error as FastifyError, request)
  // What no id can be is the id of nothing.
  if ('validationContext' in error && error.validationContext === 'params') return { status: 404, message }
  return { status: status === 400 || status in NAMES ? status : status < 500 ? 400 : status, message }
}
