import { Worker, type WorkerOptions } from '@temporalio/worker'
import type { ActivityDependencies } from '../activities/dependencies.ts'
import { createDataActivities } from '../activities/index.ts'
import type { Config } from '../config/config.ts'
import { targetFactoryUrl } from '../drivers/backups/registry.ts'
import * as cinderStores from '../drivers/cinder/registry.ts'
import { BLOCK_STORAGE_LIMITS } from '../domain/block-storage-limits.ts'
import { LIMITS } from '../domain/limits.ts'
import { dataQueue, placeQueue, storeDataQueue, targetDataQueue } from '../domain/queues.ts'
import { openConfiguredDatabase } from './database-file.ts'
import { databaseCheck, serveHealth } from './health.ts'
import { createLogger } from './logger.ts'
import { configuredKeyring } from './keyring.ts'
import { loop } from './loop.ts'
import { openBackends, openCinderTargets, openRbdTargets, openStores, openTargets } from './places.ts'
import { measureBackends } from './measure-backends.ts'
import { startMerges } from './merge-layers.ts'
import { makeRunFolder, removeRunFolder } from './run-folder.ts'
import { installRuntime } from './runtime.ts'
import { shutdownSignal } from './shutdown.ts'
import { connectWorker } from './temporal-connection.ts'
import { clearExpiredUploads } from './uploads.ts'
import type { Waiting } from './wait-for.ts'
import { workerChecks } from './worker-checks.ts'

/** Serves the queues of every configured place: everything that touches storage, and no workflow. */
export async function runDataWorker(config: Config): Promise<void> {
  const logger = createLogger('data')
  installRuntime(logger)
  const signal = shutdownSignal()
  const deps = await openDependencies(config, { logger, signal })
  const connection = await connectWorker(config, { logger, signal })
  const activities = createDataActivities(deps)
  const workers = await Promise.all(
    queues(config).map(({ taskQueue, concurrency }) =>
      Worker.create({
        connection,
        namespace: config.temporal.namespace,
        taskQueue,
        activities,
        ...activityOptions(concurrency),
      }),
    ),
  )
  signal.addEventListener('abort', () => workers.forEach((worker) => worker.shutdown()))
  const health = await serveHealth(config, 'data-worker', {
    database: databaseCheck(deps.database),
    ...workerChecks(config, connection, workers),
  })
  await Promise.all([
    ...workers.map((worker) => worker.run()),
    loop('merge layers', () => startMerges(deps), { intervalMs: LIMITS.mergeSweepMs, signal, logger }),
    loop('capacities', () => measureBackends(deps), {
      intervalMs: BLOCK_STORAGE_LIMITS.capacityIntervalMs,
      signal,
      logger,
    }),
    ...[...deps.backends, ...deps.stores].map(([name, driver]) =>
      loop(`sweep ${name}`, async () => driver.sweep?.(), {
        intervalMs: LIMITS.janitorIntervalMs,
        signal,
        logger,
      }),
    ),
    loop('expired uploads', () => clearExpiredUploads(deps), {
      intervalMs: LIMITS.uploadSweepMs,
      signal,
      logger,
    }),
  ])
  health.close()
  await connection.close()
  await deps.database.destroy()
  await removeRunFolder(deps.runFolder)
}

function activityOptions(concurrency: number): Partial<WorkerOptions> {
  return {
    maxConcurrentActivityTaskExecutions: concurrency,
    maxConcurrentActivityTaskPolls: Math.min(concurrency, 2),
    // A cancel reaches an activity with its next heartbeat: this is how long it may take.
    maxHeartbeatThrottleInterval: LIMITS.progressIntervalMs,
    defaultHeartbeatThrottleInterval: LIMITS.progressIntervalMs,
    shutdownGraceTime: LIMITS.shutdownGraceMs,
    shutdownForceTime: LIMITS.shutdownForceMs,
  }
}

function queues(config: Config): { taskQueue: string; concurrency: number }[] {
  const { dataConcurrency, callConcurrency } = config.workers
  const names = (places: object) => Object.keys(places)
  return [
    ...names(config.backends).map((name) => ({ taskQueue: dataQueue(name), concurrency: dataConcurrency })),
    ...names(config.backends).map((name) => ({
      taskQueue: placeQueue('backend', name),
      concurrency: callConcurrency,
    })),
    ...names(config.stores).map((name) => ({
      taskQueue: storeDataQueue(name),
      concurrency: dataConcurrency,
    })),
    ...names(config.stores).map((name) => ({
      taskQueue: placeQueue('store', name),
      concurrency: callConcurrency,
    })),
    ...names({ ...config.targets, ...config.cinderTargets, ...config.rbdTargets }).map((name) => ({
      taskQueue: targetDataQueue(name),
      concurrency: dataConcurrency,
    })),
    ...names({ ...config.targets, ...config.cinderTargets, ...config.rbdTargets }).map((name) => ({
      taskQueue: placeQueue('target', name),
      concurrency: callConcurrency,
    })),
  ]
}

async function openDependencies(config: Config, waiting: Waiting): Promise<ActivityDependencies> {
  const runFolder = await makeRunFolder(config.dataFolder)
  return {
    database: await openConfiguredDatabase(config, waiting),
    backends: await openBackends(config, runFolder),
    stores: await openStores(config, runFolder),
    targets: await openTargets(config),
    cinderTargets: await openCinderTargets(config),
    rbdTargets: await openRbdTargets(config),
    cinderStores,
    targetFactoryUrl,
    keyring: await configuredKeyring(config),
    runFolder,
  }
}
