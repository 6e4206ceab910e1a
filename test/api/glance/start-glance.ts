import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { FastifyRequest } from 'fastify'
import { onTestFinished } from 'vitest'
import type { ApiDependencies } from '../../../api/dependencies.ts'
import { rightsOf } from '../../../domain/policy.ts'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { startApi, type TestApi } from '../start-api.ts'
import { work } from './worker.ts'

/** `p1:member`: project and role. */
export type Who = string

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined unless it is JSON. */
  readonly body: Json
}

// eslint-disable-next-line typescript/no-explicit-any
type Json = ReturnType<typeof JSON.parse>

export interface Call {
  readonly as?: Who
  readonly body?: unknown
  readonly bytes?: Uint8Array | ReadableStream<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
}

export interface TestGlance extends TestApi {
  /** Below /image; `as` is a member of p1 unless said otherwise. */
  readonly call: (method: string, path: string, options?: Call) => Promise<Answer>
  /** With the formats that most tests need. */
  readonly create: (fields?: object, as?: Who) => Promise<Record<string, unknown> & { id: string }>
  readonly upload: (id: string, bytes: Uint8Array, as?: Who) => Promise<Answer>
  readonly show: (id: string, as?: Who) => Promise<Record<string, unknown>>
}

/** A real API with two real stores, whose operations end as soon as they were dispatched, unless `idle`. */
export async function startGlance({
  idle = false,
  ...overrides
}: Partial<ApiDependencies> & { idle?: boolean } = {}): Promise<TestGlance> {
  const folder = await tempDir()
  const stores = new Map([
    ['files', await openImageStore({ driver: 'file', path: join(folder, 'files') })],
    ['second', await openImageStore({ driver: 'file', path: join(folder, 'second') })],
  ])
  const working = new Set<Promise<void>>()
  const dispatch = async (operationId: string) => {
    if (idle) return
    const ended = work(api.database, stores, operationId)
    working.add(ended)
    await ended
  }
  // Registered first, so it runs last: nothing is under way when the database is closed.
  onTestFinished(async () => void (await Promise.allSettled(working)))
  const api: TestApi = await startApi({
    dispatch,
    authentication: { callerOf: async (request) => callerFrom(request) },
    places: { backends: ['local'], stores: ['files', 'second'], targets: ['disk'], cinderTargets: {} },
    imageStores: stores,
    ...overrides,
  })
  const call = caller(api.url)
  return {
    ...api,
    call,
    create: async (fields = {}, as = 'p1:member') => {
      const body = { disk_format: 'raw', container_format: 'bare', ...fields }
      const answer = await call('POST', '/v2/images', { as, body })
      if (answer.status !== 201) throw new Error(answer.text)
      return answer.body
    },
    upload: (id, bytes, as = 'p1:member') => call('PUT', `/v2/images/${id}/file`, { as, bytes }),
    show: async (id, as = 'p1:member') => (await call('GET', `/v2/images/${id}`, { as })).body,
  }
}

/** As glanceclient does it, all that is not JSON is called `application/octet-stream`. */
function caller(url: string): TestGlance['call'] {
  return async (method, path, { as = 'p1:member', body, bytes, headers = {} } = {}) => {
    const type = body === undefined ? 'application/octet-stream' : 'application/json'
    const answer = await fetch(`${url}/image${path}`, {
      method,
      headers: {
        'x-test-caller': as,
        ...(method === 'GET' ? {} : { 'content-type': type }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(bytes === undefined ? {} : { body: bytes as never, duplex: 'half' }),
    } as RequestInit)
    const text = await answer.text()
    const isJson = answer.headers.get('content-type')?.startsWith('application/json') === true
    return {
      status: answer.status,
      headers: answer.headers,
      text,
      body: isJson ? JSON.parse(text) : undefined,
    }
  }
}

async function callerFrom(request: FastifyRequest) {
  const header = request.headers['x-test-caller']
  const [projectId, role] = typeof header === 'string' ? header.split(':') : []
  const rights = rightsOf([role ?? ''])
  if (projectId === undefined || rights === undefined) return undefined
  return {
    userId: `user-of-${projectId}`,
    projectId,
    roles: [role ?? ''],
    authType: 'token',
    ...rights,
  } as const
}

export function hash(algorithm: 'md5' | 'sha512', bytes: Uint8Array): string {
  return createHash(algorithm).update(bytes).digest('hex')
}

export const PATCH = { 'content-type': 'application/openstack-images-v2.1-json-patch' }
