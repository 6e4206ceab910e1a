import type { Client } from '@temporalio/client'
import { CONTROL_QUEUE } from '../domain/queues.ts'

const WORKFLOW = 1
const ACTIVITY = 2

/** Epoch ms at which a worker last asked the queue for work; 0: not in the last minutes. */
export async function servedAtMs(client: Client, queue: string): Promise<number> {
  const { pollers } = await client.workflowService.describeTaskQueue({
    namespace: client.options.namespace,
    taskQueue: { name: queue },
    taskQueueType: queue === CONTROL_QUEUE ? WORKFLOW : ACTIVITY,
  })
  const times = (pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1000)
  return Math.max(0, ...times)
}
