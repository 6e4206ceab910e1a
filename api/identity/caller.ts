import type { FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import { allows, type Rights, type Rule } from '../../domain/policy.ts'

/** Who asks, in which project, and what that allows (domain/policy.ts). */
export interface Caller extends Rights {
  readonly userId: string
  readonly projectId: string
  readonly roles: readonly string[]
  /** With `none` nobody was authenticated: any project may be named, also in the path. */
  readonly authType: 'none' | 'token'
}

const callers = new WeakMap<FastifyRequest, Caller>()

/** The caller of a request below /operations/v1, /volume or /image; a public route has none, and this throws. */
export function callerOf(request: FastifyRequest): Caller {
  const caller = callers.get(request)
  if (caller === undefined) throw new Error(`Expected ${request.url} to need a caller`)
  return caller
}

/**
 * The same, for a path that names a project (`/v3/{project_id}/volumes`): from then on the caller of the request works in it. Throws
 * RequestError 400, as Cinder does, when it is not the one that the caller has authenticated for.
 *
 * @public
 */
export function callerInProject(request: FastifyRequest, projectId: string): Caller {
  const caller = callerOf(request)
  if (caller.projectId === projectId) return caller
  if (caller.authType !== 'none' && !caller.isAdmin)
    throw new RequestError(400, 'malformedUrl', 'Malformed request url')
  return setCaller(request, { ...caller, projectId })
}

/** Throws RequestError 403. For actions of which the path does not tell all, such as those of Cinder. */
export function requireAllowed(request: FastifyRequest, rule: Rule): Caller {
  const caller = callerOf(request)
  if (allows(caller, rule)) return caller
  const role = rule === 'admin' ? 'admin' : 'member'
  throw new RequestError(403, 'forbidden', `Expected a caller with the role ${role} for this request.`)
}

export function setCaller(request: FastifyRequest, caller: Caller): Caller {
  callers.set(request, caller)
  return caller
}
