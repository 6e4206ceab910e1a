import { createApi } from '../api/app.ts'
import { cancelOperation } from '../client/cancel.ts'
import { dispatchOperation } from '../client/dispatcher.ts'
import { abandonOperation } from '../client/recovery.ts'
import { retryOperation } from '../client/retry.ts'
import type { Config } from '../config/config.ts'
import { LIMITS } from '../domain/limits.ts'
import { CONTROL_QUEUE, dataQueue } from '../domain/queues.ts'
import { openConfiguredDatabase } from './database-file.ts'
import { databaseCheck, serveHealth } from './health.ts'
import { applyConfiguredQuotas } from './identity/configured-quotas.ts'
import { checkExposure, identityRules } from './identity/rules.ts'
import { createLogger } from './logger.ts'
import { openStores, placeNames } from './places.ts'
import { queueChecks } from './queue-checks.ts'
import { shutdownSignal } from './shutdown.ts'
import { createTemporalClient } from './temporal-connection.ts'
import { webhookRules } from './webhooks.ts'

/** Serves the HTTP API. Holds no state: any number may run, and kill -9 loses nothing that was answered. */
export async function runApiServer(config: Config): Promise<void> {
  checkExposure(config)
  const logger = createLogger('api')
  const signal = shutdownSignal()
  const database = await openConfiguredDatabase(config, { logger, signal })
  await applyConfiguredQuotas(config, database)
  const client = await createTemporalClient(config)
  const app = createApi({
    database,
    dispatch: (operationId) => dispatchOperation(client, database, operationId),
    cancel: (key) => cancelOperation(client, database, key),
    retry: (key) => retryOperation(client, database, key),
    abandon: (key) => abandonOperation(client, database, key),
    ...(await identityRules(config, database)),
    places: placeNames(config),
    imageStores: await openStores(config),
    webhooks: await webhookRules(config),
    allowedHosts: config.api.allowedHosts,
    logger,
    isReady: () => queueChecks(client, [CONTROL_QUEUE, ...Object.keys(config.backends).map(dataQueue)]),
  })
  await app.listen({ host: config.api.host, port: config.api.port })
  const health = await serveHealth(config, 'api', {
    database: databaseCheck(database),
    temporal: () =>
      // Without a deadline the client would still be trying when its connection is closed, and throw.
      client.withDeadline(Date.now() + LIMITS.healthCheckMs, () =>
        client.workflowService.describeNamespace({ namespace: config.temporal.namespace }),
      ),
  })
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  health.close()
  await app.close()
  await client.connection.close()
  await database.destroy()
}
