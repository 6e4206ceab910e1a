import { Worker } from '@temporalio/worker'
import { createControlActivities } from '../activities/control.ts'
import { createScheduleActivities } from '../activities/schedules.ts'
import { clearLeftovers, reconcile } from '../client/reconciler.ts'
import { applyChangedSchedules, reconcileSchedules } from '../client/schedules.ts'
import { sweep } from '../client/sweeper.ts'
import type { Config } from '../config/config.ts'
import { pruneEvents } from '../database/events/prune.ts'
import { LIMITS } from '../domain/limits.ts'
import { CONTROL_QUEUE } from '../domain/queues.ts'
import { openConfiguredDatabase } from './database-file.ts'
import { databaseCheck, serveHealth } from './health.ts'
import { createLogger } from './logger.ts'
import { loop } from './loop.ts'
import { placeNames } from './places.ts'
import { shutdownSignal } from './shutdown.ts'
import { connectWorker, createTemporalClient } from './temporal-connection.ts'
import { installRuntime } from './runtime.ts'
import { applyRetentions, watchBackups } from './tend-schedules.ts'
import { workerChecks } from './worker-checks.ts'

/** Runs the workflows and their database steps, and the loops that keep database and Temporal in step. Touches no storage. */
export async function runControlWorker(config: Config, bundlePath: string): Promise<void> {
  const logger = createLogger('control')
  installRuntime(logger)
  const signal = shutdownSignal()
  const database = await openConfiguredDatabase(config, { logger, signal })
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
    loop('sweep', () => sweep(client, database), { intervalMs: LIMITS.sweepIntervalMs, signal, logger }),
    loop('reconcile', () => reconcile(client, database), {
      intervalMs: LIMITS.reconcileIntervalMs,
      signal,
      logger,
    }),
    loop('apply schedules', () => applyChangedSchedules(client, database), {
      intervalMs: LIMITS.sweepIntervalMs,
      signal,
      logger,
    }),
    loop('reconcile schedules', () => reconcileSchedules(client, database), {
      intervalMs: LIMITS.reconcileIntervalMs,
      signal,
      logger,
    }),
    loop('apply retentions', () => applyRetentions(database), {
      intervalMs: LIMITS.reconcileIntervalMs,
      signal,
      logger,
    }),
    loop('watch backups', () => watchBackups(database, logger), {
      intervalMs: LIMITS.alarmIntervalMs,
      signal,
      logger,
    }),
    loop('janitor', () => clearLeftovers(client, database), {
      intervalMs: LIMITS.janitorIntervalMs,
      signal,
      logger,
    }),
    loop('prune events', () => pruneEvents(database, Date.now()), {
      intervalMs: LIMITS.pruneIntervalMs,
      signal,
      logger,
    }),
  ])
  health.close()
  await connection.close()
  await client.connection.close()
  await database.destroy()
}
