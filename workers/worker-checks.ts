import type { NativeConnection, Worker } from '@temporalio/worker'
import type { Config } from '../config/config.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Check } from './health.ts'

/** Asked over the workers' own connection: one that they have lost is seen, and one that only others have does not count. */
export function workerChecks(
  config: Config,
  connection: NativeConnection,
  workers: readonly Worker[],
): Record<string, Check> {
  const { namespace } = config.temporal
  return {
    temporal: () =>
      connection.withDeadline(Date.now() + LIMITS.healthCheckMs, () =>
        connection.workflowService.describeNamespace({ namespace }),
      ),
    worker: async () => {
      const stopped = workers.find((worker) => worker.getState() !== 'RUNNING')
      if (stopped !== undefined) throw new Error(stopped.getState().toLowerCase())
    },
  }
}
