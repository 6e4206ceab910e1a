import { ApiError, UnreachableError } from './errors.ts'
import type { TokenSource } from './keystone.ts'

export interface ClientOptions {
  /** `http://127.0.0.1:8780` */
  readonly baseUrl: string
  /** Default: that of the token. Without authentication any; with it, for administrators. */
  readonly projectId?: string
  /** Left out: the API wants no authentication. */
  readonly tokens?: TokenSource
  /** Default: the global one. */
  readonly fetch?: typeof globalThis.fetch
}

export interface RequestOptions {
  readonly signal?: AbortSignal
  /** A repeated request with the same key gets the first answer. */
  readonly idempotencyKey?: string
}

export interface PageFilter {
  readonly limit?: number
  /** `next` of the page before. */
  readonly marker?: string
}

export type Body = NonNullable<RequestInit['body']>

export interface HttpRequest extends RequestOptions {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the prefix, already encoded. */
  readonly path: string
  /** Default: `/operations/v1`. */
  readonly prefix?: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly json?: unknown
  readonly body?: Body
  readonly headers?: Readonly<Record<string, string>>
  /** 0: none, for bodies and answers that take as long as they take. */
  readonly timeoutMs?: number
}

/** Requests are answered from a database; one that takes longer than this hangs. */
const TIMEOUT_MS = 30_000

/**
 * One request. Throws ApiError for an answer that is not 2xx, UnreachableError when there is none; an abort throws its reason. Where the
 * token has ended before its time, it is sent once more with a new one.
 */
export async function sendRequest(client: ClientOptions, request: HttpRequest): Promise<Response> {
  const token = await client.tokens?.token()
  const response = await sendOnce(client, request, token)
  if (response.ok) return response
  const isRefused = response.status === 401 && token !== undefined && request.body === undefined
  if (!isRefused) throw await errorOf(response)
  await response.body?.cancel()
  const again = await sendOnce(client, request, await client.tokens?.renew(token))
  if (!again.ok) throw await errorOf(again)
  return again
}

async function sendOnce(
  client: ClientOptions,
  request: HttpRequest,
  token: string | undefined,
): Promise<Response> {
  const url = urlOf(client.baseUrl, request)
  const { method, signal, timeoutMs = TIMEOUT_MS } = request
  const signals = [signal, timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined]
  const init = {
    method,
    headers: { ...headersOf(client, request), ...(token !== undefined && { 'x-auth-token': token }) },
    body: request.json === undefined ? (request.body ?? null) : JSON.stringify(request.json),
    signal: AbortSignal.any(signals.filter((given) => given !== undefined)),
    redirect: 'error' as const,
    // Node asks for this where the body is a stream.
    duplex: 'half' as const,
  }
  try {
    return await (client.fetch ?? fetch)(url, init)
  } catch (error) {
    signal?.throwIfAborted()
    throw new UnreachableError(client.baseUrl, { cause: error })
  }
}

function urlOf(baseUrl: string, { path, prefix = '/operations/v1', query = {} }: HttpRequest): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  )
  const search = new URLSearchParams(given).toString()
  return `${baseUrl.replace(/\/+$/, '')}${prefix}${path}${search === '' ? '' : `?${search}`}`
}

function headersOf(
  client: ClientOptions,
  { json, idempotencyKey, headers }: HttpRequest,
): Record<string, string> {
  return {
    ...(client.projectId === undefined ? {} : { 'x-project-id': client.projectId }),
    ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
    ...headers,
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  try {
    const { error } = JSON.parse(text) as {
      error: Omit<ConstructorParameters<typeof ApiError>[1], 'code'> & { code: string | number }
    }
    // Keystone's codes are numbers, which the status is already.
    const code = typeof error.code === 'string' ? error.code : 'refused'
    return new ApiError(response.status, { ...error, code, message: String(error.message) })
  } catch {
    // Not our API: a proxy in between, or another service on this port.
    const message = `Expected a volflow API at ${new URL(response.url).origin}, got an answer ${response.status} of something else.`
    return new ApiError(response.status, { code: 'unexpectedAnswer', message })
  }
}
