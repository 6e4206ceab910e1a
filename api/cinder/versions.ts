import type { FastifyReply, FastifyRequest } from 'fastify'
import { MICROVERSION_MAX, MICROVERSION_MIN } from '../../domain/microversions.ts'
import type { ApiContext, App } from '../context.ts'
import { publicUrlOf } from '../public-url.ts'

/** The documents in which clients look for the versions that are spoken: without a token, too. */
export function versionRoutes(app: App, context: ApiContext): void {
  const document = (request: FastifyRequest) => ({
    versions: [
      {
        id: 'v3.0',
        status: 'CURRENT',
        version: `3.${MICROVERSION_MAX}`,
        min_version: `3.${MICROVERSION_MIN}`,
        updated: '2023-08-31T00:00:00Z',
        links: [
          { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
          { rel: 'self', href: `${publicUrlOf(context, request)}/volume/v3/` },
        ],
        'media-types': [
          { base: 'application/json', type: 'application/vnd.openstack.volume+json;version=3' },
        ],
      },
    ],
  })
  const answer = (status: number) => (request: FastifyRequest, reply: FastifyReply) =>
    reply.code(status).send(document(request))
  const options = { config: { public: true }, schema: { tags: ['versions'], summary: 'Show the versions' } }
  // Below a prefix this is both with and without the slash.
  app.get('/', options, answer(300))
  for (const path of ['/v3', '/v3/']) app.get(path, options, answer(200))
}
