import { type EventType, REPLACED_EVENT_TYPES } from '../../domain/events.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { OperationRow } from '../operations/read.ts'
import type { Tx } from '../resources.ts'

const CONSTANT_COLUMNS = [
  'id',
  'projectId',
  'userId',
  'requestId',
  'kind',
  'resourceType',
  'resourceId',
  'spec',
  'createdAt',
] as const satisfies readonly (keyof OperationRow)[]

/**
 * Writes that something happened to the operation, with the operation as it is now, in the transaction that changed it. Call it last
 * in that transaction: from the first id that it takes to its commit, it keeps all others from taking one.
 */
export async function recordEvent(tx: Tx, operationId: string, type: EventType): Promise<void> {
  if (REPLACED_EVENT_TYPES.includes(type)) {
    await tx.deleteFrom('events').where('operationId', '=', operationId).where('type', '=', type).execute()
  }
  const operation = await tx
    .selectFrom('operations')
    .selectAll()
    .where('id', '=', operationId)
    .executeTakeFirstOrThrow()
  await tx
    .insertInto('events')
    .values({
      id: await takeId(tx),
      projectId: operation.projectId,
      operationId,
      resourceId: operation.resourceId,
      type,
      payload: JSON.stringify(stateOf(operation)),
      createdAt: new Date().toISOString(),
    })
    .execute()
}

/**
 * Ids come from one row, whose lock is held until the commit. So events become visible in the order of their ids, in PostgreSQL too:
 * whoever has read an id has seen all below it.
 */
async function takeId(tx: Tx): Promise<number> {
  const { lastId } = await tx
    .updateTable('eventLog')
    .set((eb) => ({ lastId: eb('lastId', '+', 1) }))
    .returning('lastId')
    .executeTakeFirstOrThrow()
  return lastId
}

/** What changes in the life of an operation; who reads the event takes the rest from the operation. */
function stateOf(operation: OperationRow): Partial<OperationRow> {
  const state: Partial<OperationRow> = {
    ...operation,
    lastError: cut(operation.lastError),
    errorMessage: cut(operation.errorMessage),
  }
  for (const column of CONSTANT_COLUMNS) delete state[column]
  return state
}

function cut(text: string | null): string | null {
  return text === null ? null : text.slice(0, LIMITS.eventMessageLengthMax)
}
