import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { operationsWithLeftovers } from '../database/operations/artifacts.ts'
import {
  type DispatchableOperation,
  markUndispatched,
  openOperations,
  operationToDispatch,
} from '../database/operations/dispatch.ts'
import { LIMITS } from '../domain/limits.ts'
import { workflowId } from '../domain/operations.ts'
import { CONTROL_QUEUE } from '../domain/queues.ts'
import { tellWorkflow } from './cancel.ts'

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

async function reconcileOne(
  client: Client,
  database: Database,
  operation: DispatchableOperation,
): Promise<void> {
  try {
    const { status } = await client.workflow.getHandle(workflowId(operation.kind, operation.id)).describe()
    if (status.name === 'RUNNING') {
      // The request may not have arrived when it was made.
      if (operation.cancelRequestedAt !== null) await tellWorkflow(client, database, operation.id)
      return
    }
    // It may have ended a moment ago, its row with it.
    const now = await operationToDispatch(database, operation.id)
    if (now?.state === 'running' || now?.state === 'pending') await startRecovery(client, operation.id)
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error
    await markUndispatched(database, operation.id)
  }
}

async function startRecovery(client: Client, operationId: string): Promise<void> {
  await client.workflow.start('recover', {
    workflowId: `recover/${operationId}`,
    taskQueue: CONTROL_QUEUE,
    args: [{ operationId }],
    workflowIdConflictPolicy: 'USE_EXISTING',
    // A leftover that could not be released the last time is tried again.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: `recover ${operationId}`,
  })
}
