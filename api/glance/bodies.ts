import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { RequestError } from '../../domain/errors.ts'
import { HttpError } from '../http-error.ts'
import { type Finding, validationMessage } from '../validation-message.ts'

const JSON_TYPES = /^application\/(?:json|openstack-images-v2\.[01]-json-patch)(?:;|$)/

/**
 * How bodies are read: image bytes stay a stream, JSON is parsed; no bytes are no body, whatever type they are said to have (glanceclient
 * calls everything that is not JSON `application/octet-stream`).
 */
export function addParsers(app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload))
  const parse = app.getDefaultJsonParser('error', 'error')
  app.addContentTypeParser(JSON_TYPES, { parseAs: 'string' }, (request, body, done) => {
    if (body === '') done(null, undefined)
    else void parse(request, body as string, done)
  })
}

/** Throws HttpError 415, or RequestError 400 that says what was expected. */
export function jsonBody<T>(request: FastifyRequest, schema: z.ZodType<T>): T {
  const { body } = request
  if (body instanceof Readable)
    throw new HttpError(415, 'invalidMediaType', 'Expected content of the type application/json.')
  return checked('body', schema, body)
}

export function checked<T>(part: string, schema: z.ZodType<T>, input: unknown): T {
  const result = schema.safeParse(input)
  if (result.success) return result.data
  throw new RequestError(
    400,
    'invalidRequest',
    result.error.issues.map((issue) => validationMessage(part, input, findingOf(issue))).join(' '),
  )
}

function findingOf({ code, path, message, ...params }: z.core.$ZodIssue): Finding {
  return {
    keyword: code,
    instancePath: path.map((name) => `/${String(name)}`).join(''),
    message,
    params: params as Readonly<Record<string, unknown>>,
  }
}
