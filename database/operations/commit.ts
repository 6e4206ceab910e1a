import type { Database } from '../open.ts'

/**
 * The commit point: after `true` the operation can no longer be cancelled and its result becomes visible. `false`: a cancel was
 * requested before, or the operation ended. Repeatable.
 */
export async function enterCommit(database: Database, operationId: string): Promise<boolean> {
  const now = new Date().toISOString()
  const { numUpdatedRows } = await database
    .updateTable('operations')
    .set((eb) => ({ commitEnteredAt: eb.fn.coalesce('commitEnteredAt', eb.val(now)) }))
    .where('id', '=', operationId)
    .where('state', '=', 'running')
    .where('cancelRequestedAt', 'is', null)
    .executeTakeFirstOrThrow()
  return numUpdatedRows === 1n
}
