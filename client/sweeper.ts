import type { Client } from '@temporalio/client'
import pMap from 'p-map'
import type { Database } from '../database/open.ts'
import { operationsInTheWay, undispatchedOperations } from '../database/operations/dispatch.ts'
import { LIMITS } from '../domain/limits.ts'
import { tellWorkflow } from './cancel.ts'
import { dispatchOperation } from './dispatcher.ts'
import { resumeOperations } from './resume.ts'

/** One that fails does not keep the others waiting. */
const EACH = { concurrency: LIMITS.sweepDispatches, stopOnError: false }

/**
 * Starts what was accepted but not started, and wakes what may go on: the process that took the request may be gone. In small
 * batches, so that what a project asks for while another one's thousand wait is not behind many of them.
 */
export async function sweep(client: Client, database: Database, signal: AbortSignal): Promise<void> {
  let isMore = true
  while (isMore && !signal.aborted) {
    const batch = await undispatchedOperations(database, LIMITS.sweepBatch)
    await pMap(batch, ({ id }) => dispatchOperation(client, database, id), EACH)
    await resumeOperations(client, database)
    for (const id of await operationsInTheWay(database, LIMITS.dispatchBatch))
      await tellWorkflow(client, database, id)
    isMore = batch.length === LIMITS.sweepBatch
  }
}
