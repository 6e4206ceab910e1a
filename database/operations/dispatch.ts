import type { OperationKind, OperationState } from '../../domain/operations.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'

export interface DispatchableOperation {
  readonly id: string
  readonly kind: OperationKind
  readonly projectId: string
  readonly resourceId: string
  readonly requestId: string
  readonly priority: number
  readonly state: OperationState
  readonly cancelRequestedAt: string | null
  readonly abandonedAt: string | null
  readonly waitingFor: string | null
  readonly spec: string
}

const COLUMNS = [
  'id',
  'kind',
  'projectId',
  'resourceId',
  'requestId',
  'priority',
  'state',
  'cancelRequestedAt',
  'abandonedAt',
  'waitingFor',
  'spec',
] as const

export async function operationToDispatch(
  database: Database,
  operationId: string,
): Promise<DispatchableOperation | undefined> {
  return database.selectFrom('operations').select(COLUMNS).where('id', '=', operationId).executeTakeFirst()
}

/** The operation, if it may start: it has not begun, and what it has to wait for has ended. */
export async function startableOperation(
  database: Database,
  operationId: string,
): Promise<DispatchableOperation | undefined> {
  return startable(database).where('id', '=', operationId).executeTakeFirst()
}

/**
 * Accepted, but no workflow is known to have been started. What users asked for goes before what schedules did; of that the oldest of
 * each project, then the second of each, …
 */
export async function undispatchedOperations(
  database: Database,
  limit: number,
): Promise<DispatchableOperation[]> {
  return startable(database)
    .where('dispatchedAt', 'is', null)
    .orderBy('priority')
    .orderBy((eb) =>
      eb.fn.agg<number>('row_number').over((over) => over.partitionBy('projectId').orderBy('createdAt')),
    )
    .orderBy('createdAt')
    .limit(limit)
    .execute()
}

function startable(database: Database) {
  return database
    .selectFrom('operations')
    .select(COLUMNS)
    .where('state', '=', 'pending')
    .where((eb) =>
      eb.or([
        eb('afterOperationId', 'is', null),
        eb('afterOperationId', 'not in', eb.selectFrom('operations').select('id').where('state', 'in', OPEN)),
      ]),
    )
}

const OPEN = ['pending', 'running'] as const

/** Operations that a deletion waits for: they are to be cancelled. */
export async function operationsInTheWay(database: Database, limit: number): Promise<string[]> {
  const rows = await database
    .selectFrom('operations')
    .innerJoin('operations as holder', 'holder.id', 'operations.afterOperationId')
    .select('holder.id')
    .where('operations.state', '=', 'pending')
    .where('holder.state', '=', 'running')
    .where('holder.commitEnteredAt', 'is', null)
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id)
}

/** Dispatched and not ended: what the reconciler compares with Temporal. */
export async function openOperations(database: Database): Promise<DispatchableOperation[]> {
  return database
    .selectFrom('operations')
    .select(COLUMNS)
    .where('state', 'in', ['pending', 'running'])
    .where('dispatchedAt', 'is not', null)
    .orderBy('createdAt')
    .execute()
}

export async function markDispatched(database: Database, operationId: string): Promise<void> {
  await database
    .updateTable('operations')
    .set({ dispatchedAt: new Date().toISOString() })
    .where('id', '=', operationId)
    .where('dispatchedAt', 'is', null)
    .execute()
}

/** The workflow vanished with Temporal's data: start it again; it resumes from the checkpoint. */
export async function markUndispatched(database: Database, operationId: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('operations')
      .set({ state: 'pending', dispatchedAt: null })
      .where('id', '=', operationId)
      .where('state', 'in', ['pending', 'running'])
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await recordEvent(tx, operationId, 'requeued')
  })
}
