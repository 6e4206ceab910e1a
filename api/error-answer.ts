import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { DatabaseUnavailableError, RequestError } from '../domain/errors.ts'
import { HttpError } from './http-error.ts'
import { type Finding, validationMessage } from './validation-message.ts'

export interface Answer {
  readonly status: number
  readonly code: string
  readonly message: string
  readonly holderOperationId?: string
}

/** Fastify's error handler: every error leaves as `{error: {code, message, holderOperationId?, requestId}}`. */
export function answerError(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, ...answer } = answerOf(error, request)
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  if (status === 503) void reply.header('retry-after', '5')
  return reply
    .code(status)
    .type('application/json')
    .send({ error: { ...answer, requestId: request.id } })
}

/** Status, code and message of what went wrong, for whatever form an answer has. */
export function answerOf(error: FastifyError, request: FastifyRequest): Answer {
  if (error instanceof RequestError) {
    const { status, code, message, holderOperationId } = error
    return { status, code, message, ...(holderOperationId === undefined ? {} : { holderOperationId }) }
  }
  if (error instanceof HttpError) return { status: error.status, code: error.code, message: error.message }
  if (error instanceof DatabaseUnavailableError) {
    return { status: 503, code: 'databaseUnavailable', message: error.message }
  }
  if (hasZodFastifySchemaValidationErrors(error)) {
    return { status: 400, code: 'invalidRequest', message: findings(error, request) }
  }
  const status = error.statusCode ?? 500
  if (status >= 400 && status < 500) {
    return { status, code: codeOf(error), message: sentence(error.message) }
  }
  const message =
    'The request failed for a reason inside the service; its log has the details under the request id.'
  return { status: 500, code: 'internalError', message }
}

function findings(error: FastifyError, request: FastifyRequest): string {
  const part = error.validationContext ?? 'body'
  const input = part === 'body' ? request.body : part === 'params' ? request.params : request.query
  const named = part === 'querystring' ? 'query' : part
  return (error.validation as unknown as Finding[])
    .map((finding) => validationMessage(named, input, finding))
    .join(' ')
}

/** `FST_ERR_CTP_INVALID_MEDIA_TYPE` -> `invalidMediaType`. */
function codeOf(error: FastifyError): string {
  const words = error.code.replace(/^FST_ERR_(CTP_)?/, '').toLowerCase()
  return words.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function sentence(text: string): string {
  return text.endsWith('.') ? text : `${text}.`
}

/** A request that is not even HTTP, or whose body ended before its announced length. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const message =
    error.code === 'HPE_INVALID_EOF_STATE'
      ? 'The request ended before all announced bytes had arrived.'
      : 'Expected a well-formed HTTP request.'
  const body = JSON.stringify({ error: { code: 'malformedRequest', message } })
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy(error)
}
