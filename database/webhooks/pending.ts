import { LIMITS } from '../../domain/limits.ts'
import { EVENT_COLUMNS, eventPosition, type EventRow, eventRowOf } from '../events/read.ts'
import type { Database } from '../open.ts'
import { concerns } from './concern.ts'

export interface PendingEvents {
  /** Oldest first. */
  readonly events: readonly EventRow[]
  /** Between the cursor and this event some were removed. */
  readonly missingUpToId?: number
  /** With these, everything up to this event is known to have been told. */
  readonly seenUpToId: number
  /** There were no more of them. */
  readonly isComplete: boolean
}

/** What a webhook has to be told behind an event. */
export async function pendingEvents(
  database: Database,
  webhookId: string,
  afterId: number,
): Promise<PendingEvents> {
  // In this order: whatever is not found has a larger id than the first position, or is covered by the second one.
  const { lastId } = await eventPosition(database)
  const rows = await database
    .selectFrom(['webhooks', 'events'])
    .leftJoin('operations', 'operations.id', 'events.operationId')
    .selectAll('operations')
    .select(EVENT_COLUMNS)
    .where('webhooks.id', '=', webhookId)
    .where('events.id', '>', afterId)
    .where(concerns)
    .orderBy('events.id')
    .limit(LIMITS.webhookBatch)
    .execute()
  const { prunedId } = await eventPosition(database)
  const events = rows.map(eventRowOf)
  const isComplete = events.length < LIMITS.webhookBatch
  return {
    events,
    isComplete,
    // What came after the first look may be among them.
    seenUpToId: Math.max(afterId, events.at(-1)?.id ?? 0, isComplete ? lastId : 0),
    ...(prunedId > afterId ? { missingUpToId: prunedId } : {}),
  }
}

/**
 * Moves cursors up to the events that webhooks wait for, past those that do not concern them. Done before the log is pruned, it makes
 * a cursor that the log has left behind mean that something was lost.
 */
export async function advanceCursors(database: Database): Promise<void> {
  const { lastId, prunedId } = await eventPosition(database)
  await database
    .updateTable('webhooks')
    .set((eb) => ({
      cursorId: eb.fn.coalesce(
        eb
          .selectFrom('events')
          .select((inner) => inner(inner.fn.min('events.id'), '-', 1).as('before'))
          .where(concerns),
        eb.val(lastId),
      ),
    }))
    .where('cursorId', '>=', prunedId)
    .where('cursorId', '<', lastId)
    .execute()
}
