import type { FastifyRequest } from 'fastify'
import { openSession, type Session } from '../../database/identity/sessions.ts'
import type { Database } from '../../database/open.ts'
import { RequestError } from '../../domain/errors.ts'
import { rightsOf } from '../../domain/policy.ts'
import type { Authentication } from './authenticate.ts'
import type { Caller } from './caller.ts'

/** Callers are known by tokens of our own Keystone (api/keystone/). */
export function ownAuthentication(database: Database): Authentication {
  return {
    callerOf: async (request) => {
      const token = request.headers['x-auth-token']
      const session = typeof token === 'string' ? await openSession(database, token) : undefined
      return session === undefined ? undefined : callerOfSession(request, session)
    },
  }
}

function callerOfSession(request: FastifyRequest, { user, scope, roles }: Session): Caller {
  const names = roles.map(({ name }) => name)
  const project = scope?.type === 'project' ? scope.project.id : undefined
  return tokenCaller(request, { userId: user.id, projectId: project, roles: names })
}

interface Token {
  readonly userId: string
  readonly projectId: string | undefined
  readonly roles: readonly string[]
}

/**
 * The caller whom a valid token describes. An administrator may work in another project, by `X-Project-Id`. Throws RequestError 403 for a
 * token without a project, or without a role that allows anything.
 */
export function tokenCaller(request: FastifyRequest, { userId, projectId, roles }: Token): Caller {
  const rights = rightsOf(roles)
  if (projectId === undefined || rights === undefined)
    throw new RequestError(
      403,
      'forbidden',
      'Expected a token with a project, and with the role admin, member or reader in it.',
    )
  const wanted = request.headers['x-project-id']
  if (wanted === undefined || wanted === projectId)
    return { userId, projectId, roles, ...rights, authType: 'token' }
  if (!rights.isAdmin || typeof wanted !== 'string' || !/^[A-Za-z0-9_-]{1,64}$/.test(wanted))
    throw new RequestError(403, 'forbidden', 'Expected a token of the project that X-Project-Id names.')
  return { userId, projectId: wanted, roles, ...rights, authType: 'token' }
}
