import { RequestError } from '../../domain/errors.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'
import { requireOperation } from './read.ts'

/** Records that nobody waits for the operation's own end any more. Throws RequestError 404, or 409 when it has ended. Repeatable. */
export async function requestAbandon(
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<void> {
  const { state } = await requireOperation(database, key)
  if (state !== 'pending' && state !== 'running') {
    throw new RequestError(409, 'operationEnded', `Operation ${key.operationId} has already ended: ${state}.`)
  }
  await markAbandoned(database, key.operationId)
}

export async function markAbandoned(database: Database, operationId: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set({ abandonedAt: new Date().toISOString() })
      .where('id', '=', operationId)
      .where('state', 'in', ['pending', 'running'])
      .where('abandonedAt', 'is', null)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await recordEvent(tx, operationId, 'abandoned')
  })
}
