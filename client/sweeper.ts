import type { Client } from '@temporalio/client'
import type { Database } from '../database/open.ts'
import { undispatchedOperations } from '../database/operations/dispatch.ts'
import { LIMITS } from '../domain/limits.ts'
import { dispatchOperation } from './dispatcher.ts'

/** Starts what was accepted but not started: the process that took the request may be gone. */
export async function sweep(client: Client, database: Database): Promise<void> {
  for (const operation of await undispatchedOperations(database, LIMITS.dispatchBatch)) {
    await dispatchOperation(client, database, operation.id)
  }
}
