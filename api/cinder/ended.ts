import { setTimeout as delay } from 'node:timers/promises'
import { type OperationRow, requireOperation } from '../../database/operations/read.ts'
import { BLOCK_STORAGE_LIMITS } from '../../domain/block-storage-limits.ts'
import type { ApiContext } from '../context.ts'
import { Fault } from './fault.ts'

/**
 * For the few calls whose answer Cinder gives only when the work is done: waits for it. Throws a 400 with the reason when it failed,
 * and a 503 when it takes too long; then it goes on all the same.
 */
export async function ended(
  context: ApiContext,
  key: { readonly operationId: string; readonly projectId: string },
): Promise<OperationRow> {
  const deadlineMs = Date.now() + BLOCK_STORAGE_LIMITS.connectionWaitMs
  for (;;) {
    const operation = await requireOperation(context.database, key)
    if (operation.state === 'succeeded') return operation
    if (operation.state !== 'pending' && operation.state !== 'running')
      throw new Fault(400, operation.errorMessage ?? `The operation ${key.operationId} was cancelled.`)
    if (Date.now() > deadlineMs)
      throw new Fault(503, `Operation ${key.operationId} has not ended yet. Ask for it later.`)
    await delay(BLOCK_STORAGE_LIMITS.releasePollMs, undefined, { signal: context.closing })
  }
}
