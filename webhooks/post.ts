import { lookup as lookUp } from 'node:dns/promises'
import http, { type IncomingMessage } from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { LIMITS } from '../domain/limits.ts'
import { ALLOW, type Destinations } from './destinations.ts'

export interface HostAddress {
  readonly address: string
  readonly family: number
}

/** All addresses of a name. */
export type ResolveHost = (name: string) => Promise<HostAddress[]>

export interface Answer {
  readonly statusCode: number
  readonly retryAfter: string | undefined
}

/** Trying each address of a name is also what makes connections ask for all of them. */
const AGENT_OPTIONS = { keepAlive: true, maxSockets: 1, autoSelectFamily: true }

/**
 * Posts to one URL, one request at a time, over a connection that is kept while there is something to send. A name is resolved once per
 * connection, and nothing is connected to but the addresses that were checked then. Redirects are answers like others.
 */
export class Poster {
  readonly #url: URL
  readonly #agent: http.Agent | https.Agent
  readonly #lookup: LookupFunction

  /** Throws RequestError 400. */
  constructor(url: string, destinations: Destinations, resolveHost: ResolveHost = resolveAll) {
    this.#url = destinations.checkUrl(url)
    const Agent = this.#url.protocol === 'https:' ? https.Agent : http.Agent
    this.#agent = new Agent(AGENT_OPTIONS)
    this.#lookup = checkedLookup(destinations, resolveHost)
  }

  /** Rejects with words for the user when there is no answer in time. */
  async post(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    const timeout = AbortSignal.timeout(LIMITS.webhookRequestMs)
    try {
      return await this.#send(body, headers, AbortSignal.any([signal, timeout]))
    } catch (error) {
      signal.throwIfAborted()
      const seconds = LIMITS.webhookRequestMs / 1000
      const reason = timeout.aborted ? `no answer within ${seconds} s` : reasonOf(error)
      throw new Error(reason, { cause: error })
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #send(body: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Answer> {
    const { request } = this.#url.protocol === 'https:' ? https : http
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    request(this.#url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'user-agent': 'volflow-webhooks',
        ...headers,
      },
      agent: this.#agent,
      lookup: this.#lookup,
      signal,
    })
      .once('response', resolve)
      .on('error', reject)
      .once('close', () => reject(new Error('the connection was closed before an answer')))
      .end(body)
    const response = await promise
    await readAway(response)
    return { statusCode: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] }
  }
}

/** The answer is its status; the body is read so that the connection can be used again. */
async function readAway(response: IncomingMessage): Promise<void> {
  let bytes = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length
      if (bytes > LIMITS.webhookResponseBytes) return
    }
  } catch {
    // Cut off, or too slow: the status was there before.
  }
}

function checkedLookup(destinations: Destinations, resolveHost: ResolveHost): LookupFunction {
  const lookup = callbackify(async (name: string) => {
    const addresses = await resolveHost(name)
    const allowed = addresses.filter(({ address }) => destinations.forbiddenRangeOf(address) === undefined)
    if (allowed.length > 0) return allowed
    const range = destinations.forbiddenRangeOf(addresses[0]?.address ?? '')
    throw new Error(`expected ${name} to have a public address, got one of another kind: ${range}. ${ALLOW}`)
  })
  return (name, _options, callback) => lookup(name, callback as Parameters<typeof lookup>[1])
}

function resolveAll(name: string): Promise<HostAddress[]> {
  return lookUp(name, { all: true })
}

/** Where several addresses were tried, the first one's reason. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  const { message, code } = error as NodeJS.ErrnoException
  const text = message === '' ? (code ?? String(error)) : message
  return text.slice(0, LIMITS.webhookErrorLengthMax)
}
