import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import { workflowId } from '../domain/operations.ts'
import type { Database } from '../database/open.ts'
import { requestCancel } from '../database/operations/cancel.ts'
import { operationToDispatch } from '../database/operations/dispatch.ts'

/**
 * Cancels an operation of the project: at once when it has not begun, else its workflow undoes what was done and then ends.
 * Throws RequestError 404 or 409. The row says so first; a workflow that could not be told now is told by the sweeper.
 */
export async function cancelOperation(
  client: Client,
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<void> {
  const outcome = await requestCancel(database, key)
  if (outcome === 'requested') await tellWorkflow(client, database, key.operationId).catch(() => undefined)
}

/** Passes a recorded cancel request on to the workflow. Repeatable. */
export async function tellWorkflow(client: Client, database: Database, operationId: string): Promise<void> {
  const operation = await operationToDispatch(database, operationId)
  if (operation === undefined) return
  try {
    await client.workflow.getHandle(workflowId(operation.kind, operationId)).cancel()
  } catch (error) {
    // Not started yet, or ended meanwhile: `begin` and `enterCommit` read the row.
    if (!(error instanceof WorkflowNotFoundError)) throw error
  }
}
