import { setTimeout as sleep } from 'node:timers/promises'
import type { WorkflowHandle } from '@temporalio/client'
import { startRecovery } from '../../client/recovery.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { FsckContext } from './context.ts'

/** Has the product recover from an operation, and waits for that. Takes a running control worker. */
export async function recover({ client }: FsckContext, operationId: string): Promise<void> {
  await startRecovery(client, operationId)
  await waitForEnd(client.workflow.getHandle(`recover/${operationId}`))
}

/** Waits until a workflow is closed, however. */
export async function waitForEnd(handle: WorkflowHandle): Promise<void> {
  const closed = handle.result().then(
    () => 'closed' as const,
    () => 'closed' as const,
  )
  const late = sleep(LIMITS.fsckRecoveryMs, 'late' as const, { ref: false })
  if ((await Promise.race([closed, late])) === 'closed') return
  throw new Error(
    `Expected workflow ${handle.workflowId} to end within ${LIMITS.fsckRecoveryMs / 1000} s, it is still under way. Do its workers run?`,
  )
}
