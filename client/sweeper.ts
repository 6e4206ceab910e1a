import type { Client } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { operationsInTheWay, undispatchedOperations } from '../database/operations/dispatch.ts'
import { LIMITS } from '../domain/limits.ts'
import { tellWorkflow } from './cancel.ts'
import { dispatchOperation } from './dispatcher.ts'
import { resumeOperations } from './resume.ts'

/** Starts what was accepted but not started, and wakes what may go on: the process that took the request may be gone. */
export async function sweep(client: Client, database: Database): Promise<void> {
  for (const operation of await undispatchedOperations(database, LIMITS.dispatchBatch)) {
    await dispatchOperation(client, database, operation.id)
  }
  await resumeOperations(client, database)
  for (const id of await operationsInTheWay(database, LIMITS.dispatchBatch))
    await tellWorkflow(client, database, id)
}
