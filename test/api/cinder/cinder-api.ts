import type { FastifyInstance } from 'fastify'
import { expect } from 'vitest'
import type { ApiDependencies } from '../../../api/dependencies.ts'
import type { OperationEnd } from '../../../domain/operations.ts'
import { runToEnd } from '../end-operation.ts'
import { startApi, type TestApi } from '../start-api.ts'

export const NOWHERE = '00000000-0000-4000-8000-000000000000'

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Readonly<Record<string, unknown>>
}

interface CallOptions {
  readonly version?: string
  readonly project?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The block storage API of a real API process, as clients call it. */
export interface CinderApi extends TestApi {
  readonly call: (method: string, path: string, body?: unknown, options?: CallOptions) => Promise<Answer>
  /** Expects the status. Resolves to the body. */
  readonly ok: (status: number, method: string, path: string, body?: unknown) => Promise<Answer['body']>
  /** Expects a refusal with Cinder's word for it. */
  readonly refused: (
    status: number,
    method: string,
    path: string,
    body?: unknown,
    options?: CallOptions,
  ) => Promise<string>
  /** Makes it and ends its operation well. Resolves to the id. */
  readonly volume: (fields?: object) => Promise<string>
  readonly snapshot: (volumeId: string, fields?: object) => Promise<string>
  readonly end: (answer: Answer, end?: OperationEnd) => Promise<void>
}

const FAULTS: Readonly<Record<number, string>> = {
  400: 'badRequest',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  406: 'computeFault',
  409: 'conflictingRequest',
  413: 'overLimit',
}

export async function startCinder(
  overrides: Partial<ApiDependencies> = {},
  beforeRoutes?: (app: FastifyInstance) => void,
): Promise<CinderApi> {
  const api = await startApi(overrides, beforeRoutes)
  const call: CinderApi['call'] = async (method, path, body, options = {}) => {
    const { version = '3.71', project = 'p1', headers = {} } = options
    const response = await fetch(`${api.url}/volume/v3/${project}${path}`, {
      method,
      headers: {
        'openstack-api-version': `volume ${version}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? {} : JSON.parse(text)) as Answer['body'],
    }
  }
  const end: CinderApi['end'] = async ({ headers }, result) => {
    const operationId = headers.get('operation-id')
    if (operationId === null) throw new Error('Expected an operation to have been started')
    await runToEnd(api.database, operationId, result)
  }
  const made = async (path: string, name: string, fields: object): Promise<string> => {
    const answer = await call('POST', path, { [name]: fields })
    expect(answer).toMatchObject({ status: 202 })
    await end(answer)
    return (answer.body[name] as { id: string }).id
  }
  return {
    ...api,
    call,
    end,
    ok: async (status, method, path, body) => {
      const answer = await call(method, path, body)
      expect(answer).toMatchObject({ status })
      return answer.body
    },
    refused: async (status, method, path, body, options) => {
      const answer = await call(method, path, body, options)
      const name = FAULTS[status] ?? ''
      expect(answer).toMatchObject({ status, body: { [name]: { code: status } } })
      return (answer.body[name] as { message: string }).message
    },
    volume: (fields = {}) => made('/volumes', 'volume', { size: 1, ...fields }),
    snapshot: (volumeId, fields = {}) =>
      made('/snapshots', 'snapshot', { volume_id: volumeId, force: true, ...fields }),
  }
}
