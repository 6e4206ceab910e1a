import { createHash } from 'node:crypto'
import { z } from 'zod'
import { IDENTITY_LIMITS } from '../../domain/identity-limits.ts'
import type { TokenSource } from '../../sdk/keystone.ts'
import { HttpError } from '../http-error.ts'
import type { Authentication } from './authenticate.ts'
import { tokenCaller, type TokenFacts } from './token-caller.ts'

interface Options {
  /** `https://keystone.example.org:5000`, with or without `/v3`. */
  readonly url: string
  /** Of the service user, who may validate tokens. */
  readonly tokens: TokenSource
  /** Default: the time. */
  readonly now?: () => number
}

interface Known {
  /** Undefined: the token is not valid. */
  readonly facts: Promise<TokenFacts | undefined>
  readonly untilMs: number
}

const TOKEN = z.object({
  token: z.object({
    user: z.object({ id: z.string() }),
    project: z.object({ id: z.string() }).optional(),
    roles: z.array(z.object({ name: z.string() })).default([]),
    expires_at: z.string(),
  }),
})

/**
 * Callers are known by tokens of a Keystone elsewhere, which is asked for each token at most once a minute: a revoked one is refused after
 * that time. Tokens are remembered by their hashes.
 */
export function keystoneAuthentication({ url, tokens, now = Date.now }: Options): Authentication {
  const known = new Map<string, Known>()
  const endpoint = `${url.replace(/\/+$/, '').replace(/\/v3$/, '')}/v3/auth/tokens?nocatalog`
  const factsOf = (token: string): Promise<TokenFacts | undefined> => {
    const hash = createHash('sha256').update(token).digest('base64')
    const earlier = known.get(hash)
    if (earlier !== undefined && earlier.untilMs > now()) return earlier.facts
    const facts = validate(endpoint, tokens, token, now)
    makeRoom(known)
    known.set(hash, { facts, untilMs: now() + IDENTITY_LIMITS.validationCacheMs })
    // What was no answer is asked again.
    facts.catch(() => known.delete(hash))
    return facts
  }
  return {
    callerOf: async (request) => {
      const token = request.headers['x-auth-token']
      if (typeof token !== 'string' || token.length > IDENTITY_LIMITS.foreignTokenLengthMax) return undefined
      const facts = await factsOf(token)
      return facts === undefined ? undefined : tokenCaller(request, facts)
    },
  }
}

async function validate(
  endpoint: string,
  tokens: TokenSource,
  subject: string,
  now: () => number,
): Promise<TokenFacts | undefined> {
  try {
    let own = await tokens.token()
    let response = await ask(endpoint, own, subject)
    if (response.status === 401 && own !== undefined) {
      await response.body?.cancel()
      own = await tokens.renew(own)
      response = await ask(endpoint, own, subject)
    }
    if (response.status === 404) {
      await response.body?.cancel()
      return undefined
    }
    if (response.status !== 200) throw new Error(`Keystone answered ${response.status}`)
    const { token } = TOKEN.parse(await response.json())
    if (Date.parse(token.expires_at) <= now()) return undefined
    const roles = token.roles.map(({ name }) => name)
    return { userId: token.user.id, projectId: token.project?.id, roles }
  } catch (error) {
    throw new HttpError(
      503,
      'identityUnavailable',
      'Expected an answer of Keystone about the token, got none. Try again in a moment.',
      { cause: error },
    )
  }
}

function ask(endpoint: string, own: string | undefined, subject: string): Promise<Response> {
  return fetch(endpoint, {
    headers: { 'x-subject-token': subject, ...(own !== undefined && { 'x-auth-token': own }) },
    signal: AbortSignal.timeout(IDENTITY_LIMITS.validationTimeoutMs),
    redirect: 'error',
  })
}

/** The oldest goes first. */
function makeRoom(known: Map<string, Known>): void {
  const oldest = known.keys().next()
  if (known.size >= IDENTITY_LIMITS.validationsKept && oldest.done === false) known.delete(oldest.value)
}
