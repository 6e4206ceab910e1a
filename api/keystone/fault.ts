import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { answerOf } from '../error-answer.ts'
import type { App } from '../context.ts'
import { publicUrlOf } from '../public-url.ts'

/** Errors in Keystone's form, `{error: {code, message, title}}`, for everything below this scope. */
export function answerFaults(app: App, settings: { publicUrl?: string }): void {
  app.setErrorHandler((error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
    const { status, message } = answerOf(error, request)
    if (status >= 500) request.log.error({ err: error }, 'request failed')
    if (status === 503) void reply.header('retry-after', '5')
    if (status === 401)
      void reply.header('www-authenticate', `Keystone uri="${publicUrlOf(settings, request)}/identity"`)
    const fault = { code: status, message, title: STATUS_CODES[status] ?? 'Error' }
    return reply.code(status).type('application/json').send({ error: fault })
  })
  app.setNotFoundHandler(() => {
    throw new RequestError(404, 'notFound', 'The resource could not be found.')
  })
}

/** One answer for all ways not to get in: it does not tell which part was wrong. */
export function unauthorized(): RequestError {
  return new RequestError(401, 'unauthorized', 'The request you have made requires authentication.')
}

export function forbidden(): RequestError {
  return new RequestError(403, 'forbidden', 'You are not authorized to perform the requested action.')
}
