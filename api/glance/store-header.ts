import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { quoted } from '../validation-message.ts'

/** The store that a client asks for. Throws RequestError 400 for a malformed one; whether it exists, the request finds out. */
export function storeHeader(request: FastifyRequest): string | undefined {
  const name = request.headers['x-image-meta-store']
  if (name === undefined || name === '') return undefined
  if (typeof name === 'string') return name
  throw new RequestError(400, 'invalidHeader', `Expected one x-image-meta-store, got ${quoted(name)}.`)
}
