import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { rightsOf } from '../../domain/policy.ts'
import type { Caller } from './caller.ts'

/** What a valid token says. */
export interface TokenFacts {
  readonly userId: string
  readonly projectId: string | undefined
  readonly roles: readonly string[]
}

const PROJECT_ID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * The caller whom a valid token describes. An administrator may work in another project, by `X-Project-Id`. Throws RequestError 403 for a
 * token without a project, or without a role that allows anything.
 */
export function tokenCaller(request: FastifyRequest, { userId, projectId, roles }: TokenFacts): Caller {
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
  if (!rights.isAdmin || typeof wanted !== 'string' || !PROJECT_ID.test(wanted))
    throw new RequestError(403, 'forbidden', 'Expected a token of the project that X-Project-Id names.')
  return { userId, projectId: wanted, roles, ...rights, authType: 'token' }
}
