import type { FastifyRequest } from 'fastify'
import type { App } from '../context.ts'
import { type KeystoneContext, linkedTo } from './context.ts'

/** What a client asks first, with or without a slash at the end. */
export function versionRoutes(app: App, context: KeystoneContext): void {
  const open = { config: { public: true }, schema: { hide: true } }
  // With a prefix this is both forms.
  app.get('/', open, async (request, reply) =>
    reply.code(300).send({ versions: { values: [version(context, request)] } }),
  )
  for (const url of ['/v3', '/v3/'])
    app.get(url, open, async (request) => ({ version: version(context, request) }))
}

function version(context: KeystoneContext, request: FastifyRequest): object {
  return {
    id: 'v3.14',
    status: 'stable',
    updated: '2020-04-07T00:00:00Z',
    links: [{ rel: 'self', href: `${linkedTo(context, request).identityUrl}/v3/` }],
    'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
  }
}
