import type { FastifyInstance } from 'fastify'
import { RequestError } from '../domain/errors.ts'
import { HttpError } from './http-error.ts'

/** 405 for a known path with another method, 404 for all else. Call before the routes are added. */
export function answerUnknownRoutes(app: FastifyInstance): void {
  const methodsOf = new Map<string, { pattern: RegExp; methods: string[] }>()
  app.addHook('onRoute', ({ url, method }) => {
    const known = methodsOf.get(url) ?? { pattern: patternOf(url), methods: [] }
    known.methods.push(...[method].flat())
    methodsOf.set(url, known)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? ''
    const methods = [...methodsOf.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap((known) => known.methods)
    if (methods.length === 0)
      throw new RequestError(404, 'routeNotFound', 'There is nothing at this path; see /docs.')
    void reply.header('allow', methods.join(', '))
    throw new HttpError(
      405,
      'methodNotAllowed',
      `Expected one of ${methods.join(', ')}, got ${request.method}.`,
    )
  })
}

function patternOf(url: string): RegExp {
  return new RegExp(`^${url.replace(/:[a-zA-Z]+/g, '[^/]+')}$`)
}
