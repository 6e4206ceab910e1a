import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiContext, App } from '../context.ts'
import { publicUrlOf } from '../public-url.ts'

/** Without 2.14 and 2.16, which are about a cache that we do not have. */
const MINORS = [18, 17, 15, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

/** What clients ask first, before they are anybody: glanceclient asks /versions before every command. */
export function versionRoutes(app: App, context: ApiContext): void {
  const answer = (status: number) => async (request: FastifyRequest, reply: FastifyReply) => {
    const links = [{ rel: 'self', href: `${publicUrlOf(context, request)}/image/v2/` }]
    const versions = MINORS.map((minor, index) => ({
      id: `v2.${minor}`,
      status: index === 0 ? 'CURRENT' : 'SUPPORTED',
      links,
    }))
    return reply.code(status).send({ versions })
  }
  const config = { public: true }
  app.get('/', { config }, answer(300))
  app.get('/versions', { config }, answer(200))
  app.get('/versions/', { config }, answer(200))
  app.get('/v2', { config }, answer(200))
  app.get('/v2/', { config }, answer(200))
}
