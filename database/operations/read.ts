import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import type { OperationKind, OperationState } from '../../domain/operations.ts'
import type { Database } from '../open.ts'
import type { OperationsTable } from '../schema.ts'

export type OperationRow = Selectable<OperationsTable>

export async function requireOperation(
  database: Database,
  key: { operationId: string; projectId: string },
): Promise<OperationRow> {
  const row = await database
    .selectFrom('operations')
    .selectAll()
    .where('id', '=', key.operationId)
    .where('projectId', '=', key.projectId)
    .executeTakeFirst()
  if (row === undefined) {
    throw new RequestError(404, 'operationNotFound', `Operation ${key.operationId} could not be found.`)
  }
  return row
}

export interface OperationFilter {
  readonly projectId: string
  readonly state?: OperationState
  readonly kind?: OperationKind
  readonly resourceId?: string
  readonly limit: number
  /** Id of the last operation of the page before. */
  readonly marker?: string
}

/** Newest first. */
export async function listOperations(database: Database, filter: OperationFilter): Promise<OperationRow[]> {
  let query = database
    .selectFrom('operations')
    .selectAll()
    .where('projectId', '=', filter.projectId)
    .orderBy('createdAt', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.state !== undefined) query = query.where('state', '=', filter.state)
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind)
  if (filter.resourceId !== undefined) query = query.where('resourceId', '=', filter.resourceId)
  if (filter.marker !== undefined) {
    const last = await requireOperation(database, { operationId: filter.marker, projectId: filter.projectId })
    query = query.where((eb) => eb(eb.refTuple('createdAt', 'id'), '<', eb.tuple(last.createdAt, last.id)))
  }
  return query.execute()
}

/** Whether an operation about this resource has not ended: somebody may still be working on it. */
export async function hasOpenOperation(database: Database, resourceId: string): Promise<boolean> {
  const row = await database
    .selectFrom('operations')
    .select('id')
    .where('resourceId', '=', resourceId)
    .where('state', 'in', ['pending', 'running'])
    .executeTakeFirst()
  return row !== undefined
}
