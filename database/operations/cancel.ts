import { RequestError } from '../../domain/errors.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { endInTransaction } from './end.ts'

/**
 * Records that the operation shall be cancelled. `ended`: it had not begun, and is cancelled now. `requested`: its workflow has to
 * be told. Throws RequestError 404, or 409 when it has ended or passed its commit point. Repeatable.
 */
export async function requestCancel(
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<'ended' | 'requested'> {
  return database.transaction().execute(async (tx) => {
    const operation = await tx
      .selectFrom('operations')
      .select(['state', 'startedAt', 'commitEnteredAt', 'cancelRequestedAt'])
      .where('id', '=', key.operationId)
      .where('projectId', '=', key.projectId)
      .executeTakeFirst()
    if (operation === undefined) {
      throw new RequestError(404, 'operationNotFound', `Operation ${key.operationId} could not be found.`)
    }
    if (operation.state !== 'pending' && operation.state !== 'running') {
      throw new RequestError(
        409,
        'operationEnded',
        `Operation ${key.operationId} has already ended: ${operation.state}.`,
      )
    }
    if (operation.commitEnteredAt !== null) {
      throw new RequestError(
        409,
        'operationCommitted',
        `Operation ${key.operationId} has passed its commit point and can no longer be cancelled; it ends by itself.`,
      )
    }
    return cancelInTransaction(tx, key.operationId, operation)
  })
}

/** For an operation that is open and has not passed its commit point. */
export async function cancelInTransaction(
  tx: Tx,
  operationId: string,
  operation: { startedAt: string | null; cancelRequestedAt: string | null },
): Promise<'ended' | 'requested'> {
  const cancelRequestedAt = operation.cancelRequestedAt ?? new Date().toISOString()
  await tx.updateTable('operations').set({ cancelRequestedAt }).where('id', '=', operationId).execute()
  if (operation.startedAt !== null) {
    if (operation.cancelRequestedAt === null) await recordEvent(tx, operationId, 'cancel-requested')
    return 'requested'
  }
  // It made nothing yet; but what was uploaded was there before it, and remains to be removed.
  await tx
    .deleteFrom('artifacts')
    .where('operationId', '=', operationId)
    .where('kind', '!=', 'stage')
    .execute()
  await endInTransaction(tx, operationId, { outcome: 'cancelled' })
  return 'ended'
}
