import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { openSession, type Session, sessionOfToken } from '../../database/identity/sessions.ts'
import { issueToken, revokeToken } from '../../database/identity/tokens.ts'
import { RequestError } from '../../domain/errors.ts'
import type { App } from '../context.ts'
import { publicUrlOf } from '../public-url.ts'
import type { KeystoneContext } from './context.ts'
import { forbidden, unauthorized } from './fault.ts'
import { IDENTITY, logIn } from './log-in.ts'
import { chooseScope, SCOPE } from './scope.ts'
import { isAdmin, sessionOf } from './session.ts'
import { tokenView } from './views.ts'

const AUTH = z.object({ auth: z.object({ identity: IDENTITY, scope: SCOPE.exactOptional() }) })
const QUERY = z.object({ nocatalog: z.string().exactOptional() })

/** Log-in, validation and revocation. */
export function tokenRoutes(app: App, context: KeystoneContext): void {
  app.post(
    '/auth/tokens',
    { config: { public: true }, schema: { body: AUTH, querystring: QUERY, hide: true } },
    async (request, reply) => {
      const { secret, session } = await issue(context, request.body.auth).catch((error: unknown) => {
        if (error instanceof RequestError && error.status === 401) request.log.warn('a log-in was refused')
        throw error
      })
      void reply.code(201).header('x-subject-token', secret).header('vary', 'X-Auth-Token')
      const withCatalog = request.query.nocatalog === undefined
      return tokenView(session, publicUrlOf(context, request), { withCatalog })
    },
  )
  for (const method of ['GET', 'HEAD'] as const)
    app.route({
      method,
      url: '/auth/tokens',
      schema: { querystring: QUERY, hide: true },
      handler: async (request, reply) => {
        const { secret, session } = await subject(context, request)
        void reply.header('x-subject-token', secret).header('vary', 'X-Auth-Token')
        if (method === 'HEAD') return reply.send()
        const withCatalog = request.query.nocatalog === undefined
        return tokenView(session, publicUrlOf(context, request), { withCatalog })
      },
    })
  app.delete('/auth/tokens', { schema: { hide: true } }, async (request, reply) => {
    const { session } = await subject(context, request)
    await revokeToken(context.database, session.token)
    return reply.code(204).send()
  })
}

async function issue(
  { database }: KeystoneContext,
  { identity, scope: wanted }: z.infer<typeof AUTH>['auth'],
): Promise<{ secret: string; session: Session }> {
  const loggedIn = await logIn(database, identity)
  const scope = await chooseScope(database, loggedIn, wanted)
  const { userId, methods, parent, credential } = loggedIn
  return database.transaction().execute(async (tx) => {
    const { secret, row } = await issueToken(tx, {
      userId,
      scope,
      methods,
      applicationCredentialId: credential?.id ?? parent?.applicationCredentialId ?? null,
      ...(parent !== undefined && { parent }),
    })
    const session = await sessionOfToken(tx, row)
    if (session === undefined) throw unauthorized()
    return { secret, session }
  })
}

/** The token that the request is about: one's own, or any for an administrator, as services are. */
async function subject(
  { database }: KeystoneContext,
  request: FastifyRequest,
): Promise<{ secret: string; session: Session }> {
  const asking = sessionOf(request)
  const secret = request.headers['x-subject-token']
  const session = typeof secret === 'string' ? await openSession(database, secret) : undefined
  if (session !== undefined && session.user.id !== asking.user.id && !isAdmin(asking)) throw forbidden()
  if (typeof secret === 'string' && session !== undefined) return { secret, session }
  throw new RequestError(404, 'tokenNotFound', 'Could not find the token.')
}
