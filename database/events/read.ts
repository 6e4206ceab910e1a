import type { EventType } from '../../domain/events.ts'
import type { Database } from '../open.ts'
import type { OperationRow } from '../operations/read.ts'

export interface EventRow {
  readonly id: number
  readonly type: EventType
  readonly createdAt: string
  /** As it was right after the change. */
  readonly operation: OperationRow
}

export interface EventFilter {
  readonly projectId: string
  readonly operationId?: string
  readonly resourceId?: string
  /** Left out: of all types. */
  readonly withoutType?: EventType
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
    .innerJoin('operations', 'operations.id', 'events.operationId')
    .selectAll('operations')
    .select([
      'events.id as eventId',
      'events.type as eventType',
      'events.createdAt as eventCreatedAt',
      'events.payload as eventPayload',
    ])
    .where('events.projectId', '=', filter.projectId)
    .where('events.id', '>', afterId)
    .orderBy('events.id')
    .limit(limit)
  if (filter.operationId !== undefined) query = query.where('events.operationId', '=', filter.operationId)
  if (filter.resourceId !== undefined) query = query.where('events.resourceId', '=', filter.resourceId)
  if (filter.withoutType !== undefined) query = query.where('events.type', '!=', filter.withoutType)
  const rows = await query.execute()
  return rows.map(({ eventId, eventType, eventCreatedAt, eventPayload, ...operation }) => ({
    id: eventId,
    type: eventType,
    createdAt: eventCreatedAt,
    operation: { ...operation, ...(JSON.parse(eventPayload) as Partial<OperationRow>) },
  }))
}

export async function eventPosition(database: Database): Promise<EventPosition> {
  return database.selectFrom('eventLog').select(['lastId', 'prunedId']).executeTakeFirstOrThrow()
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
