import { ApiError, UnreachableError } from './errors.ts'

export interface ClientOptions {
  /** `http://127.0.0.1:8780` */
  readonly baseUrl: string
  readonly projectId?: string
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
  /** Below /operations/v1, already encoded. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly json?: unknown
  readonly body?: Body
  readonly headers?: Readonly<Record<string, string>>
  /** 0: none, for bodies and answers that take as long as they take. */
  readonly timeoutMs?: number
}

/** Requests are answered from a database; one that takes longer than this hangs. */
const TIMEOUT_MS = 30_000

/** One request. Throws ApiError for an answer that is not 2xx, UnreachableError when there is none; an abort throws its reason. */
export async function sendRequest(client: ClientOptions, request: HttpRequest): Promise<Response> {
  const url = urlOf(client.baseUrl, request)
  const { method, signal, timeoutMs = TIMEOUT_MS } = request
  const signals = [signal, timeoutMs > 0 ? AbortSignal.timeout(timeoutMs) : undefined]
  const init = {
    method,
    headers: headersOf(client, request),
    body: request.json === undefined ? (request.body ?? null) : JSON.stringify(request.json),
    signal: AbortSignal.any(signals.filter((given) => given !== undefined)),
    redirect: 'error' as const,
    // Node asks for this where the body is a stream.
    duplex: 'half' as const,
  }
  let response
  try {
    response = await (client.fetch ?? fetch)(url, init)
  } catch (error) {
    signal?.throwIfAborted()
    throw new UnreachableError(client.baseUrl, { cause: error })
  }
  if (!response.ok) throw await errorOf(response)
  return response
}

function urlOf(baseUrl: string, { path, query = {} }: HttpRequest): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, String(value)] as [string, string]],
  )
  const search = new URLSearchParams(given).toString()
  return `${baseUrl.replace(/\/+$/, '')}/operations/v1${path}${search === '' ? '' : `?${search}`}`
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
    const { error } = JSON.parse(text) as { error: ConstructorParameters<typeof ApiError>[1] }
    return new ApiError(response.status, { ...error, message: String(error.message) })
  } catch {
    // Not our API: a proxy in between, or another service on this port.
    const message = `Expected a volflow API at ${new URL(response.url).origin}, got an answer ${response.status} of something else.`
    return new ApiError(response.status, { code: 'unexpectedAnswer', message })
  }
}
