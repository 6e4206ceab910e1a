import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { pino } from 'pino'
import { onTestFinished } from 'vitest'
import { createApi } from '../../api/app.ts'
import { noAuthentication } from '../../api/identity/none.ts'
import type { ApiDependencies } from '../../api/dependencies.ts'
import type { Config } from '../../config/config.ts'
import { type Database, type DatabasePlace, openDatabase } from '../../database/open.ts'
import { requestAbandon } from '../../database/operations/abandon.ts'
import { requestCancel } from '../../database/operations/cancel.ts'
import type { ImageStore } from '../../drivers/images/driver.ts'
import { openImageStore } from '../../drivers/images/registry.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { webhookRules } from '../../workers/webhooks.ts'
import { liftQuotas } from '../support/lift-quotas.ts'
import { tempDir } from '../support/temp-dir.ts'
import { temporaryDatabasePlace } from '../support/temporary-database.ts'

export interface TestApi {
  readonly app: FastifyInstance
  readonly database: Database
  readonly place: DatabasePlace
  readonly store: ImageStore
  readonly dispatched: string[]
  readonly webhooks: Config['webhooks']
  readonly url: string
  readonly client: VolflowClient
}

/** A real API on a port of its own, with a real database and image store; operations are accepted, and end only by the test's hand. */
export async function startApi(
  overrides: Partial<ApiDependencies> = {},
  beforeRoutes: (app: FastifyInstance) => void = () => {},
): Promise<TestApi> {
  const folder = await tempDir()
  const { place, remove } = await temporaryDatabasePlace()
  const database = await openDatabase(place)
  await liftQuotas(database)
  const store = await openImageStore({ driver: 'file', path: join(folder, 'store') })
  const dispatched: string[] = []
  const webhooks = {
    keyFile: join(folder, 'webhook.key'),
    allowHttp: true,
    allowedNetworks: ['127.0.0.1/32'],
  }
  const app = createApi({
    database,
    dispatch: async (operationId) => void dispatched.push(operationId),
    cancel: async (key) => void (await requestCancel(database, key)),
    retry: () => Promise.reject(new Error('Expected a test without Temporal not to retry')),
    abandon: (key) => requestAbandon(database, key),
    authentication: noAuthentication,
    places: {
      backends: ['local'],
      stores: ['files'],
      targets: ['disk', 's3'],
      cinderTargets: { cinder: { driver: 's3', container: 'volumebackups' } },
    },
    imageStores: new Map([['files', store]]),
    webhooks: await webhookRules({ webhooks }),
    logger: pino({ enabled: false }),
    isReady: async () => ({ ready: true, checks: { database: 'ok' } }),
    ...overrides,
  })
  beforeRoutes(app)
  const url = await app.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(async () => {
    await app.close()
    await database.destroy()
    await remove()
  })
  return {
    app,
    database,
    place,
    store,
    dispatched,
    webhooks,
    url,
    client: new VolflowClient({ baseUrl: url }),
  }
}
