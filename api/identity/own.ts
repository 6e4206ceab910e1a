import { openSession } from '../../database/identity/sessions.ts'
import type { Database } from '../../database/open.ts'
import type { Authentication } from './authenticate.ts'
import { tokenCaller } from './token-caller.ts'

/** Callers are known by tokens of our own Keystone (api/keystone/). */
export function ownAuthentication(database: Database): Authentication {
  return {
    callerOf: async (request) => {
      const token = request.headers['x-auth-token']
      const session = typeof token === 'string' ? await openSession(database, token) : undefined
      if (session === undefined) return undefined
      const { user, scope, roles } = session
      return tokenCaller(request, {
        userId: user.id,
        projectId: scope?.type === 'project' ? scope.project.id : undefined,
        roles: roles.map(({ name }) => name),
      })
    },
  }
}
