import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'
import { retireSnapshots } from './kept-snapshots.ts'

/**
 * The commit point: after `true` the operation can no longer be cancelled and its result becomes visible. `false`: a cancel was
 * requested before, or the operation ended. Repeatable.
 */
export async function enterCommit(database: Database, operationId: string): Promise<boolean> {
  return database.transaction().execute(async (tx) => {
    const first = await tx
      .updateTable('operations')
      .set({ commitEnteredAt: new Date().toISOString() })
      .where('id', '=', operationId)
      .where('state', '=', 'running')
      .where('cancelRequestedAt', 'is', null)
      .where('commitEnteredAt', 'is', null)
      .returning(['id', 'kind', 'spec'])
      .executeTakeFirst()
    if (first !== undefined) {
      await retireSnapshots(tx, first)
      await recordEvent(tx, operationId, 'committing')
    }
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
