import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { answerOf } from '../error-answer.ts'

const HTML_ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/**
 * Errors as Glance sends them: a page, from which glanceclient takes the text between the tags, or JSON for a client that asks for it
 * (webob's form).
 */
export function answerFault(error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, message } = answerOf(error, request)
  if (status >= 500) request.log.error({ err: error }, 'request failed')
  if (status === 503) void reply.header('retry-after', '5')
  const title = STATUS_CODES[status] ?? 'Error'
  const code = `${status} ${title}`
  void reply.code(status)
  if (request.headers.accept?.includes('application/json') === true) {
    return reply.type('application/json').send({ message, code, title })
  }
  return reply
    .type('text/html; charset=UTF-8')
    .send(
      `<html>\n <head>\n  <title>${code}</title>\n </head>\n <body>\n  <h1>${code}</h1>\n  ${escaped(message)}<br /><br />\n\n\n </body>\n</html>`,
    )
}

function escaped(text: string): string {
  return text.replace(/[&<>]/g, (character) => HTML_ENTITIES[character] ?? character)
}
