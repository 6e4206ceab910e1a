import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import { workflowId } from '../domain/operations.ts'
import type { Database } from '../database/open.ts'
import { listArtifacts } from '../database/operations/artifacts.ts'
import { requestCancel } from '../database/operations/cancel.ts'
import { operationToDispatch } from '../database/operations/dispatch.ts'
import { startRecovery } from './recovery.ts'

/**
 * Cancels an operation of the project: at once when it has not begun, else its workflow undoes what was done and then ends.
 * Throws RequestError 404 or 409. The row says so first; a workflow that could not be told now is told by the reconciler.
 */
export async function cancelOperation(
  client: Client,
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<void> {
  const outcome = await requestCancel(database, key)
  const { operationId } = key
  const followUp = outcome === 'requested' ? tellWorkflow : clearUp
  await followUp(client, database, operationId).catch(() => undefined)
}

/** What the operation would have used up. The janitor repeats what could not be done here. */
async function clearUp(client: Client, database: Database, operationId: string): Promise<void> {
  const left = await listArtifacts(database, operationId, 'all')
  if (left.length > 0) await startRecovery(client, operationId)
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
