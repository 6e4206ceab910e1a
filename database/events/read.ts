import { RequestError } from '../../domain/errors.ts'
import { type EventType, isOfSchedule, type ScheduleNews } from '../../domain/events.ts'
import type { Database } from '../open.ts'
import type { OperationRow } from '../operations/read.ts'
import type { Tx } from '../resources.ts'

export interface EventRow {
  readonly id: number
  readonly type: EventType
  readonly createdAt: string
  /** As it was right after the change; null for an event of a schedule. */
  readonly operation: OperationRow | null
  readonly schedule: ScheduleNews | null
}

export interface EventFilter {
  readonly projectId: string
  readonly operationId?: string
  readonly resourceId?: string
}

export interface EventPosition {
  /** Newest id that was taken, of any project. */
  readonly lastId: number
  /** Everything up to this id was removed, as far as retention is concerned; 0: nothing yet. */
  readonly prunedId: number
}

/** Events above `afterId`, oldest first. */
export async function eventsAfter(
  database: Database,
  filter: EventFilter,
  { afterId, limit }: { afterId: number; limit: number },
): Promise<EventRow[]> {
  let query = database
    .selectFrom('events')
    .leftJoin('operations', 'operations.id', 'events.operationId')
    .selectAll('operations')
    .select(EVENT_COLUMNS)
    .where('events.projectId', '=', filter.projectId)
    .where('events.id', '>', afterId)
    .orderBy('events.id')
    .limit(limit)
  if (filter.operationId !== undefined) query = query.where('events.operationId', '=', filter.operationId)
  if (filter.resourceId !== undefined) query = query.where('events.resourceId', '=', filter.resourceId)
  return (await query.execute()).map(eventRowOf)
}

/** What a query selects besides the operation. */
export const EVENT_COLUMNS = [
  'events.id as eventId',
  'events.type as eventType',
  'events.createdAt as eventCreatedAt',
  'events.payload as eventPayload',
] as const

interface EventColumns {
  readonly eventId: number
  readonly eventType: EventType
  readonly eventCreatedAt: string
  readonly eventPayload: string
}

export function eventRowOf({
  eventId,
  eventType,
  eventCreatedAt,
  eventPayload,
  ...operation
}: { readonly [column in keyof OperationRow]: OperationRow[column] | null } & EventColumns): EventRow {
  const head = { id: eventId, type: eventType, createdAt: eventCreatedAt }
  const payload: unknown = JSON.parse(eventPayload)
  if (isOfSchedule(eventType)) return { ...head, operation: null, schedule: payload as ScheduleNews }
  // Events of an operation go with it.
  return { ...head, operation: { ...(operation as OperationRow), ...(payload as object) }, schedule: null }
}

export async function eventPosition(database: Database | Tx): Promise<EventPosition> {
  return database.selectFrom('eventLog').select(['lastId', 'prunedId']).executeTakeFirstOrThrow()
}

/** Refuses a position from which events are missing: who reads on from there must know that it does not see everything. */
export function requireKept(afterId: number, { lastId, prunedId }: EventPosition): void {
  if (afterId > 0 && afterId < prunedId) {
    throw new RequestError(
      410,
      'eventsExpired',
      `Expected an event id from ${prunedId} on, got ${afterId}: older events were removed. Read what there is with after=0.`,
    )
  }
  if (afterId > lastId) {
    throw new RequestError(
      400,
      'unknownEvent',
      `Expected an event id up to ${lastId}, the newest, got ${afterId}. Read what there is with after=0.`,
    )
  }
}

export interface EventHead {
  readonly id: number
  readonly projectId: string
  readonly operationId: string
  readonly resourceId: string
}

/** Of all projects: whom each event concerns. */
export async function eventHeadsAfter(
  database: Database,
  afterId: number,
  limit: number,
): Promise<EventHead[]> {
  return database
    .selectFrom('events')
    .select(['id', 'projectId', 'operationId', 'resourceId'])
    .where('id', '>', afterId)
    .orderBy('id')
    .limit(limit)
    .execute()
}
