import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestError } from '../../domain/errors.ts'
import type { Rule } from '../../domain/policy.ts'
import { publicUrlOf } from '../public-url.ts'
import { type Caller, requireAllowed, setCaller } from './caller.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without authentication, such as a document of versions. */
    public?: boolean
    /** What the caller must be allowed to do. Default: `read` for GET and HEAD, else `write`. */
    rule?: Rule
  }
}

/** How callers are known. */
export interface Authentication {
  /** Undefined: the request does not say who asks, or not truly. Throws RequestError 400 for a malformed header, 403 for one who may nothing. */
  readonly callerOf: (request: FastifyRequest) => Promise<Caller | undefined>
}

interface Options {
  readonly authentication: Authentication
  /** Where clients are sent for a token; default: our own Keystone. */
  readonly identityUrl?: string
  readonly publicUrl?: string
}

const PROTECTED = /^\/(?:operations\/v1|volume|image)(?:[/?]|$)/

/** Sets the caller of each request below the protected paths, or refuses it. One hook, so that no route can forget it. */
export function authenticateCallers(app: FastifyInstance, options: Options): void {
  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions
    if (!PROTECTED.test(request.url) || config.public === true) return
    const caller = await options.authentication.callerOf(request)
    if (caller === undefined) {
      const url = options.identityUrl ?? `${publicUrlOf(options, request)}/identity`
      void reply.header('www-authenticate', `Keystone uri="${url}"`)
      throw new RequestError(401, 'unauthorized', 'The request you have made requires authentication.')
    }
    setCaller(request, caller)
    requireAllowed(request, config.rule ?? ruleOf(request.method))
  })
}

function ruleOf(method: string): Rule {
  return method === 'GET' || method === 'HEAD' ? 'read' : 'write'
}
