import type { Client } from '@temporalio/client'
import type { Config } from '../config/config.ts'

const WORKFLOW = 1
const ACTIVITY = 2

export interface Readiness {
  readonly ready: boolean
  readonly checks: Record<string, string>
}

/** Whether somebody serves each queue: a queue without a worker would wait in silence. */
export async function queueChecks(
  client: Client,
  config: Config,
  queues: readonly string[],
): Promise<Readiness> {
  const checks: Record<string, string> = {}
  await Promise.all(
    queues.map(async (queue) => {
      checks[queue] = await served(client, config.temporal.namespace, queue).catch(
        (error: Error) => error.message,
      )
    }),
  )
  return { ready: Object.values(checks).every((state) => state === 'ok'), checks }
}

async function served(client: Client, namespace: string, queue: string): Promise<string> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: queue },
    taskQueueType: queue === 'control' ? WORKFLOW : ACTIVITY,
  })
  return (pollers?.length ?? 0) > 0 ? 'ok' : 'no worker serves this queue'
}
