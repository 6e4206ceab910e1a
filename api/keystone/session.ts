import type { FastifyRequest } from 'fastify'
import type { Database } from '../../database/open.ts'
import { openSession, type Session } from '../../database/identity/sessions.ts'
import { rightsOf } from '../../domain/policy.ts'
import type { App } from '../context.ts'
import { forbidden, unauthorized } from './fault.ts'

const sessions = new WeakMap<FastifyRequest, Session>()

/** Every route of this scope needs a valid token, unless it is public. */
export function openSessions(app: App, database: Database): void {
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.public === true) return
    const token = request.headers['x-auth-token']
    const session = typeof token === 'string' ? await openSession(database, token) : undefined
    if (session === undefined) throw unauthorized()
    sessions.set(request, session)
  })
}

export function sessionOf(request: FastifyRequest): Session {
  const session = sessions.get(request)
  if (session === undefined) throw new Error(`Expected ${request.url} to need a token`)
  return session
}

export function isAdmin({ roles }: Session): boolean {
  return rightsOf(roles.map(({ name }) => name))?.isAdmin === true
}

/** A `preHandler`. Throws RequestError 403. */
export async function adminOnly(request: FastifyRequest): Promise<void> {
  if (!isAdmin(sessionOf(request))) throw forbidden()
}

/** Throws RequestError 403. */
export function requireSelf(request: FastifyRequest, userId: string): Session {
  const session = sessionOf(request)
  if (session.user.id !== userId && !isAdmin(session)) throw forbidden()
  return session
}
