import { type Client, type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { operationsWithLeftovers } from '../database/operations/artifacts.ts'
import { PAUSED, setWaiting } from '../database/operations/controls.ts'
import {
  type DispatchableOperation,
  markUndispatched,
  openOperations,
  operationToDispatch,
} from '../database/operations/dispatch.ts'
import { ABANDONED } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { workflowId } from '../domain/operations.ts'
import { tellWorkflow } from './cancel.ts'
import { giveUp, startRecovery } from './recovery.ts'
import { waitingOf } from './waiting.ts'

/**
 * Compares open operations with Temporal: a workflow that vanished is started again, one that was closed without writing the end
 * is recovered from.
 */
export async function reconcile(client: Client, database: Database): Promise<void> {
  for (const operation of await openOperations(database)) await reconcileOne(client, database, operation)
}

/** The janitor: clears up after ended operations that could not release everything they had made. */
export async function clearLeftovers(client: Client, database: Database): Promise<void> {
  for (const operationId of await operationsWithLeftovers(database, LIMITS.dispatchBatch)) {
    await startRecovery(client, operationId)
  }
}

/** What `reconcile` does for one operation. */
export async function reconcileOne(
  client: Client,
  database: Database,
  operation: DispatchableOperation,
): Promise<void> {
  if (operation.abandonedAt !== null) return giveUp(client, operation, ABANDONED)
  try {
    const description = await client.workflow.getHandle(workflowId(operation.kind, operation.id)).describe()
    if (description.status.name === 'RUNNING') return await attend(client, database, operation, description)
    // It may have ended a moment ago, its row with it.
    const now = await operationToDispatch(database, operation.id)
    if (now?.state === 'running' || now?.state === 'pending') await startRecovery(client, operation.id)
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error
    await markUndispatched(database, operation.id)
  }
}

async function attend(
  client: Client,
  database: Database,
  operation: DispatchableOperation,
  description: WorkflowExecutionDescription,
): Promise<void> {
  // The request may not have arrived when it was made.
  if (operation.cancelRequestedAt !== null) await tellWorkflow(client, database, operation.id)
  if (operation.waitingFor === PAUSED) return
  const waiting = await waitingOf(client, description, Date.now())
  if (waiting?.hopeless !== undefined) return giveUp(client, operation, waiting.hopeless)
  if ((waiting?.reason ?? null) !== operation.waitingFor) {
    await setWaiting(database, operation.id, waiting?.reason, operation.waitingFor)
  }
}
