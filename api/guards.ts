import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestError } from '../domain/errors.ts'
import { quoted } from './validation-message.ts'

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/**
 * Without authentication the loopback address is the only protection, and a web page in the user's browser could get around it: by
 * a host name of its own that resolves to 127.0.0.1, or by sending requests from its own origin. Both are refused.
 */
export function guardOrigin(app: FastifyInstance, allowedHosts: readonly string[]): void {
  const names = new Set([...LOOPBACK, ...allowedHosts.map((name) => name.toLowerCase())])
  app.addHook('onRequest', async (request) => {
    checkHost(request, names)
    checkOrigin(request)
  })
}

function checkHost(request: FastifyRequest, names: ReadonlySet<string>): void {
  const host = request.headers.host ?? ''
  if (names.has(host.replace(/:\d+$/, '').toLowerCase())) return
  throw new RequestError(
    403,
    'hostNotAllowed',
    `Expected the Host header to be a loopback name or an allowed host, got ${quoted(host)}.`,
  )
}

function checkOrigin(request: FastifyRequest): void {
  const { origin, host } = request.headers
  if (origin === undefined || origin === `http://${host}` || origin === `https://${host}`) return
  throw new RequestError(
    403,
    'foreignOrigin',
    `Expected a request of this service's own pages, got origin ${quoted(origin)}.`,
  )
}
