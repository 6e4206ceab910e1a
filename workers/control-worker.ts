import { Worker } from '@temporalio/worker'
import { createControlActivities } from '../activities/control.ts'
import { createScheduleActivities } from '../activities/schedules.ts'
import type { Config } from '../config/config.ts'
import { LIMITS } from '../domain/limits.ts'
import { CONTROL_QUEUE } from '../domain/queues.ts'
import { controlLoops } from './control-loops.ts'
import { openConfiguredDatabase } from './database-file.ts'
import { databaseCheck, serveHealth } from './health.ts'
import { createLogger } from './logger.ts'
import { placeNames } from './places.ts'
import { shutdownSignal } from './shutdown.ts'
import { connectWorker, createTemporalClient } from './temporal-connection.ts'
import { installRuntime } from './runtime.ts'
import { openDeliverer } from './webhooks.ts'
import { workerChecks } from './worker-checks.ts'

/** Runs the workflows and their database steps, and the loops that keep database and Temporal in step. Touches no storage. */
export async function runControlWorker(config: Config, bundlePath: string): Promise<void> {
  const logger = createLogger('control')
  installRuntime(logger)
  const signal = shutdownSignal()
  const database = await openConfiguredDatabase(config, { logger, signal })
  const deliverer = await openDeliverer(config, { database, logger, signal })
  const client = await createTemporalClient(config)
  const connection = await connectWorker(config, { logger, signal })
  const worker = await Worker.create({
    connection,
    namespace: config.temporal.namespace,
    taskQueue: CONTROL_QUEUE,
    workflowBundle: { codePath: bundlePath },
    activities: {
      ...createControlActivities(database),
      ...createScheduleActivities(database, placeNames(config)),
    },
    maxCachedWorkflows: LIMITS.cachedWorkflowsMax,
    // How long a workflow waits for a worker that was killed before another one takes it.
    stickyQueueScheduleToStartTimeout: LIMITS.stickyTimeoutMs,
    maxConcurrentLocalActivityExecutions: LIMITS.localActivitiesMax,
    shutdownGraceTime: LIMITS.shutdownGraceMs,
  })
  signal.addEventListener('abort', () => worker.shutdown())
  const health = await serveHealth(config, 'control-worker', {
    database: databaseCheck(database),
    ...workerChecks(config, connection, [worker]),
  })
  await Promise.all([
    worker.run(),
    ...controlLoops({ client, database, deliverer, places: placeNames(config), signal, logger }),
  ])
  await deliverer.drain()
  health.close()
  await connection.close()
  await client.connection.close()
  await database.destroy()
}
