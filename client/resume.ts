import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { PAUSED, resumableOperations, setWaiting } from '../database/operations/controls.ts'
import { operationToDispatch } from '../database/operations/dispatch.ts'
import { LIMITS } from '../domain/limits.ts'
import { workflowId } from '../domain/operations.ts'
import { RESUME_SIGNAL } from '../domain/retries.ts'

/** Wakes the workflows of operations whose pause is over. Repeatable: a resume too many is harmless. */
export async function resumeOperations(client: Client, database: Database): Promise<void> {
  for (const operationId of await resumableOperations(database, LIMITS.dispatchBatch)) {
    const operation = await operationToDispatch(database, operationId)
    if (operation === undefined) continue
    try {
      await client.workflow.getHandle(workflowId(operation.kind, operationId)).signal(RESUME_SIGNAL)
    } catch (error) {
      // Closed or lost: the reconciler's business.
      if (!(error instanceof WorkflowNotFoundError)) throw error
    }
    await setWaiting(database, operationId, undefined, PAUSED)
  }
}
