import type { OperationKind } from '../../domain/operations.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'

export interface BegunOperation {
  readonly kind: OperationKind
  readonly projectId: string
  readonly resourceId: string
  readonly spec: unknown
  readonly cancelRequested: boolean
}

/** Moves the operation to running and returns what to do; undefined when it already ended or never was. Repeatable. */
export async function beginOperation(
  database: Database,
  operationId: string,
): Promise<BegunOperation | undefined> {
  return database.transaction().execute(async (tx) => {
    const now = new Date().toISOString()
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set((eb) => ({ state: 'running', startedAt: eb.fn.coalesce('startedAt', eb.val(now)) }))
      .where('id', '=', operationId)
      .where('state', '=', 'pending')
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await recordEvent(tx, operationId, 'started')
    const row = await tx
      .selectFrom('operations')
      .select(['kind', 'projectId', 'resourceId', 'spec', 'cancelRequestedAt'])
      .where('id', '=', operationId)
      .where('state', '=', 'running')
      .executeTakeFirst()
    if (row === undefined) return undefined
    const { cancelRequestedAt, spec, ...rest } = row
    return { ...rest, spec: JSON.parse(spec) as unknown, cancelRequested: cancelRequestedAt !== null }
  })
}
