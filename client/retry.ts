import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { requireOperation } from '../database/operations/read.ts'
import { RequestError } from '../domain/errors.ts'
import { workflowId } from '../domain/operations.ts'

const SCHEDULED = 1

/**
 * Tries now what would be tried again later. Throws RequestError 404, or 409 when the operation has ended or is not waiting for
 * another try.
 */
export async function retryOperation(
  client: Client,
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<void> {
  const { kind, state } = await requireOperation(database, key)
  const name = `Operation ${key.operationId}`
  if (state !== 'pending' && state !== 'running') {
    throw new RequestError(
      409,
      'operationEnded',
      `${name} has already ended: ${state}. Make the request again to start a new one.`,
    )
  }
  const activityIds = await waitingActivities(client, workflowId(kind, key.operationId))
  if (activityIds.length === 0) {
    throw new RequestError(409, 'operationNotWaiting', `${name} is not waiting for another try.`)
  }
  for (const id of activityIds) {
    await client.workflowService.resetActivity({
      namespace: client.options.namespace,
      execution: { workflowId: workflowId(kind, key.operationId) },
      id,
    })
  }
}

/** Activities between two tries. */
async function waitingActivities(client: Client, id: string): Promise<string[]> {
  try {
    const { raw } = await client.workflow.getHandle(id).describe()
    return (raw.pendingActivities ?? [])
      .filter(({ state, attempt }) => state === SCHEDULED && (attempt ?? 1) > 1)
      .flatMap(({ activityId }) => activityId ?? [])
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return []
    throw error
  }
}
