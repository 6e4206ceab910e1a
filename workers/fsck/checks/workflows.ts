/** Open operations have a running workflow, and running workflows an open operation. */
import { type Client, WorkflowNotFoundError } from '@temporalio/client'
import pMap from 'p-map'
import { dispatchOperation } from '../../../client/dispatcher.ts'
import { reconcileOne } from '../../../client/reconciler.ts'
import { type AgedOperation, everyOpenOperation, openOperationIds } from '../../../database/audit.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { OPERATION_KINDS, workflowId } from '../../../domain/operations.ts'
import { inBatches } from '../batches.ts'
import type { FsckContext } from '../context.ts'
import type { Check, Finding } from '../finding.ts'
import { recover, waitForEnd } from '../recover.ts'

export function workflowChecks(context: FsckContext): Check[] {
  return [{ name: 'workflows', find: () => findIn(context) }]
}

async function* findIn(context: FsckContext): AsyncGenerator<Finding> {
  const { client, temporalAddress } = context
  const deadlineMs = Date.now() + LIMITS.inspectionCallMs
  const isReachable = await client.connection
    .withDeadline(deadlineMs, () => client.workflowService.getSystemInfo({}))
    .then(
      () => true,
      () => false,
    )
  if (isReachable) {
    yield* findDead(context)
    yield* findUnknown(context)
  } else {
    yield {
      code: 'temporal-unreachable',
      where: 'temporal',
      what: temporalAddress,
      explanation: `It did not answer within ${LIMITS.inspectionCallMs / 1000} s. Operations were not compared with workflows.`,
      next: 'Start it (volflow up), and run fsck again. Without it operations cannot be recovered from either.',
    }
  }
}

async function* findDead(context: FsckContext): AsyncGenerator<Finding> {
  for await (const operations of everyOpenOperation(context.database)) {
    const settled = operations.filter((one) => context.isSettled(one.dispatchedAt ?? one.createdAt))
    const states = await pMap(settled, (one) => workflowState(context.client, one), {
      concurrency: LIMITS.fsckLooks,
    })
    for (const [index, operation] of settled.entries()) {
      const state = states[index]
      if (state === undefined || state === 'RUNNING') continue
      yield {
        code: 'operation-without-workflow',
        where: 'temporal',
        what: `operation ${operation.id}`,
        explanation: `It is ${operation.state} (${operation.kind}), and its workflow ${state === 'none' ? 'does not exist' : `was closed: ${state}`}.`,
        next:
          state === 'none'
            ? 'Its workflow is started, and carries on from the checkpoint.'
            : 'It is recovered from: what it made is released, and it fails.',
        mend: { needs: 'repair', run: () => revive(context, operation, state) },
      }
    }
  }
}

async function workflowState(client: Client, { kind, id }: AgedOperation): Promise<string> {
  try {
    return (await client.workflow.getHandle(workflowId(kind, id)).describe()).status.name
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return 'none'
    throw error
  }
}

async function revive(context: FsckContext, operation: AgedOperation, state: string): Promise<void> {
  const { client, database } = context
  if (operation.dispatchedAt !== null) await reconcileOne(client, database, operation)
  if (state === 'none') await dispatchOperation(client, database, operation.id)
  else await recover(context, operation.id)
}

async function* findUnknown(context: FsckContext): AsyncGenerator<Finding> {
  const { client, database } = context
  const running = client.workflow.list({ query: 'ExecutionStatus="Running"' })
  for await (const workflows of inBatches(running)) {
    const ours = workflows.filter(({ workflowId: id }) => operationOf(id) !== undefined)
    const open = await openOperationIds(
      database,
      ours.map((one) => operationOf(one.workflowId) ?? ''),
    )
    for (const { workflowId: id, startTime } of ours) {
      const operationId = operationOf(id) ?? ''
      if (open.has(operationId) || !context.isSettled(startTime.getTime())) continue
      const handle = client.workflow.getHandle(id)
      // The list is a moment behind.
      if ((await handle.describe()).status.name !== 'RUNNING') continue
      yield {
        code: 'workflow-without-operation',
        where: 'temporal',
        what: `workflow ${id}`,
        explanation: 'It runs, and the database has no such operation that has not ended.',
        next: 'It is cancelled: it undoes what its artifacts name, and ends.',
        mend: {
          needs: 'repair',
          run: async () => {
            await handle.cancel()
            await waitForEnd(handle)
          },
        },
      }
    }
  }
}

/** Of `create-volume/<id>`; other workflows, such as recoveries and schedules, have no operation of their own. */
function operationOf(id: string): string | undefined {
  const [kind, operationId] = id.split('/')
  return OPERATION_KINDS.some((one) => one === kind) ? operationId : undefined
}
