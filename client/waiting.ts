import type { Client, WorkflowExecutionDescription } from '@temporalio/client'
import { LIMITS } from '../domain/limits.ts'
import { servedAtMs } from './pollers.ts'

export interface Waiting {
  readonly reason: string
  /** For so long that there is no hope left: the operation is to fail with this. */
  readonly hopeless?: { readonly code: string; readonly message: string }
}

const SCHEDULED = 1

/** Why a running workflow does not advance: what only Temporal knows. Undefined: it does, or its row says why. */
export async function waitingOf(
  client: Client,
  { raw }: WorkflowExecutionDescription,
  nowMs: number,
): Promise<Waiting | undefined> {
  const failures = (raw.pendingWorkflowTask?.attempt ?? 1) - 1
  if (failures >= LIMITS.stalledTaskFailures) {
    return {
      reason: `stalled: its workflow task failed ${failures} times in a row; see the Web UI and the log`,
    }
  }
  for (const activity of raw.pendingActivities ?? []) {
    const sinceMs = Number(activity.scheduledTime?.seconds ?? 0) * 1000
    const queue = activity.activityOptions?.taskQueue?.name
    if (activity.state !== SCHEDULED || nowMs - sinceMs < LIMITS.noWorkerMs || !queue) continue
    const since = new Date(sinceMs).toISOString()
    if (await isServed(client, queue, nowMs)) return { reason: `a free slot of ${queue} since ${since}` }
    const reason = `no worker for ${queue} since ${since}`
    if (nowMs - sinceMs < LIMITS.noWorkerFailureMs) return { reason }
    const message = `There was ${reason}. Start a worker for it, and the operation again.`
    return { reason, hopeless: { code: 'noWorker', message } }
  }
  return undefined
}

async function isServed(client: Client, queue: string, nowMs: number): Promise<boolean> {
  return nowMs - (await servedAtMs(client, queue)) < LIMITS.noWorkerMs
}
