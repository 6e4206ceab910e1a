import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { requestAbandon } from '../database/operations/abandon.ts'
import { operationToDispatch } from '../database/operations/dispatch.ts'
import { ABANDONED } from '../domain/errors.ts'
import { type OperationKind, workflowId } from '../domain/operations.ts'
import { CONTROL_QUEUE } from '../domain/queues.ts'

interface GivenUp {
  readonly code: string
  readonly message: string
}

/** Ends what its workflow did not end, and releases what it made. Repeatable; a `givenUp` operation ends before its places answer. */
export async function startRecovery(client: Client, operationId: string, givenUp?: GivenUp): Promise<void> {
  await client.workflow.start('recover', {
    workflowId: `recover/${operationId}`,
    taskQueue: CONTROL_QUEUE,
    args: [{ operationId, ...(givenUp === undefined ? {} : { givenUp }) }],
    workflowIdConflictPolicy: givenUp === undefined ? 'USE_EXISTING' : 'TERMINATE_EXISTING',
    // A leftover that could not be released the last time is tried again.
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: `recover ${operationId}`,
  })
}

/** Ends an operation now, whatever it waits for. Throws RequestError 404 or 409. The reconciler repeats what could not be done here. */
export async function abandonOperation(
  client: Client,
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<void> {
  await requestAbandon(database, key)
  const operation = await operationToDispatch(database, key.operationId)
  if (operation !== undefined) await giveUp(client, operation, ABANDONED).catch(() => undefined)
}

export async function giveUp(
  client: Client,
  operation: { id: string; kind: OperationKind },
  reason: GivenUp,
): Promise<void> {
  try {
    await client.workflow.getHandle(workflowId(operation.kind, operation.id)).terminate(reason.message)
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) throw error
  }
  await startRecovery(client, operation.id, reason)
}
