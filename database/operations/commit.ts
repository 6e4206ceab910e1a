import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'

/**
 * The commit point: after `true` the operation can no longer be cancelled and its result becomes visible. `false`: a cancel was
 * requested before, or the operation ended. Repeatable.
 */
export async function enterCommit(database: Database, operationId: string): Promise<boolean> {
  return database.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set({ commitEnteredAt: new Date().toISOString() })
      .where('id', '=', operationId)
      .where('state', '=', 'running')
      .where('cancelRequestedAt', 'is', null)
      .where('commitEnteredAt', 'is', null)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await recordEvent(tx, operationId, 'committing')
    const entered = await tx
      .selectFrom('operations')
      .select('id')
      .where('id', '=', operationId)
      .where('state', '=', 'running')
      .where('commitEnteredAt', 'is not', null)
      .executeTakeFirst()
    return entered !== undefined
  })
}
