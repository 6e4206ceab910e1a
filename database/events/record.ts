import {
  type OperationEventType,
  REPLACED_EVENT_TYPES,
  type ScheduleEventType,
  type ScheduleNews,
} from '../../domain/events.ts'
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

/** In the place of an operation's id. */
const NO_OPERATION = ''

/**
 * Writes that something happened to the operation, with the operation as it is now, in the transaction that changed it. Call it last
 * in that transaction: from the first id that it takes to its commit, it keeps all others from taking one.
 */
export async function recordEvent(tx: Tx, operationId: string, type: OperationEventType): Promise<void> {
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
      id: await takeIds(tx, 1),
      projectId: operation.projectId,
      operationId,
      resourceId: operation.resourceId,
      type,
      payload: JSON.stringify(stateOf(operation)),
      createdAt: new Date().toISOString(),
    })
    .execute()
}

/** Writes what happened to a schedule. Call it last, too. An event of a volume is found by the volume, another one by the schedule. */
export async function recordScheduleEvents(
  tx: Tx,
  { projectId }: { readonly projectId: string },
  events: readonly { readonly type: ScheduleEventType; readonly schedule: ScheduleNews }[],
): Promise<void> {
  if (events.length === 0) return
  const firstId = await takeIds(tx, events.length)
  const createdAt = new Date().toISOString()
  const values = events.map(({ type, schedule }, index) => ({
    ...{ id: firstId + index, projectId, operationId: NO_OPERATION, type, createdAt },
    resourceId: schedule.volumeId ?? schedule.id,
    payload: JSON.stringify(schedule),
  }))
  await tx.insertInto('events').values(values).execute()
}

/**
 * Ids come from one row, whose lock is held until the commit. So events become visible in the order of their ids, in PostgreSQL too:
 * whoever has read an id has seen all below it. The first of `count` successive ones.
 */
async function takeIds(tx: Tx, count: number): Promise<number> {
  const { lastId } = await tx
    .updateTable('eventLog')
    .set((eb) => ({ lastId: eb('lastId', '+', count) }))
    .returning('lastId')
    .executeTakeFirstOrThrow()
  return lastId - count + 1
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
