import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { quoted } from '../validation-message.ts'
import type { Authentication } from './authenticate.ts'

const ID = /^[A-Za-z0-9_-]{1,64}$/

/**
 * Nobody is authenticated, and everybody is an administrator: for the loopback address alone. Who they are, they say: in the headers
 * `X-User-Id` and `X-Project-Id`, or in a token `user:project`, as the `noauth` plugins of cinderclient and gophercloud send it, and
 * glanceclient with the colon as `%3A`. A token without a colon, such as keystoneauth's `notused`, says nothing.
 */
export const noAuthentication: Authentication = {
  callerOf: async (request) => {
    const { userId, projectId } = tokenParts(request)
    return {
      userId: idOf(request, 'x-user-id') ?? userId,
      projectId: idOf(request, 'x-project-id') ?? projectId,
      roles: ['admin'],
      isAdmin: true,
      readOnly: false,
      authType: 'none',
    }
  },
}

function tokenParts(request: FastifyRequest): { userId: string; projectId: string } {
  const token = request.headers['x-auth-token']
  const [userId, projectId, ...rest] = typeof token === 'string' ? token.replace(/%3a/i, ':').split(':') : []
  if (userId === undefined || projectId === undefined) return { userId: 'local', projectId: 'default' }
  if (rest.length === 0 && ID.test(userId) && ID.test(projectId)) return { userId, projectId }
  throw new RequestError(
    400,
    'invalidHeader',
    `Expected header x-auth-token to be user:project, each to match ${ID.source}.`,
  )
}

function idOf(request: FastifyRequest, name: 'x-user-id' | 'x-project-id'): string | undefined {
  const value = request.headers[name]
  if (value === undefined) return undefined
  if (typeof value === 'string' && ID.test(value)) return value
  throw new RequestError(
    400,
    'invalidHeader',
    `Expected header ${name} to match ${ID.source}, got ${quoted(value)}.`,
  )
}
