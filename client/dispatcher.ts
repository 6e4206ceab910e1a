import type { Client } from '@temporalio/client'
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client'
import { defineSearchAttributeKey } from '@temporalio/common'
import { workflowId, workflowType } from '../domain/operations.ts'
import { CONTROL_QUEUE } from '../domain/queues.ts'
import type { Database } from '../database/open.ts'
import {
  type DispatchableOperation,
  markDispatched,
  startableOperation,
} from '../database/operations/dispatch.ts'

const KEYS = {
  kind: defineSearchAttributeKey('OperationKind', 'KEYWORD'),
  project: defineSearchAttributeKey('ProjectId', 'KEYWORD'),
  resource: defineSearchAttributeKey('ResourceId', 'KEYWORD'),
  backend: defineSearchAttributeKey('Backend', 'KEYWORD'),
}

/**
 * Starts the workflow of an accepted operation. Starting again is harmless for ever: a running workflow is attached to, an ended
 * one is not repeated, and `begin` lets nothing run whose row has ended.
 */
export async function dispatchOperation(
  client: Client,
  database: Database,
  operationId: string,
): Promise<void> {
  const operation = await startableOperation(database, operationId)
  if (operation === undefined) return
  await startWorkflow(client, operation)
  await markDispatched(database, operationId)
}

async function startWorkflow(client: Client, operation: DispatchableOperation): Promise<void> {
  const spec = JSON.parse(operation.spec) as { backend?: string; target?: string; store?: string }
  try {
    await client.workflow.start(workflowType(operation.kind), {
      workflowId: workflowId(operation.kind, operation.id),
      taskQueue: CONTROL_QUEUE,
      args: [{ operationId: operation.id }],
      workflowIdConflictPolicy: 'USE_EXISTING',
      workflowIdReusePolicy: 'REJECT_DUPLICATE',
      typedSearchAttributes: [
        { key: KEYS.kind, value: operation.kind },
        { key: KEYS.project, value: operation.projectId },
        { key: KEYS.resource, value: operation.resourceId },
        { key: KEYS.backend, value: spec.backend ?? spec.target ?? spec.store ?? '' },
      ],
      staticSummary: `${operation.kind} ${operation.resourceId}`,
      memo: { requestId: operation.requestId },
      priority: { priorityKey: operation.priority, fairnessKey: operation.projectId },
    })
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error
  }
}
