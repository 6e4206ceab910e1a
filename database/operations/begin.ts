import type { OperationKind } from '../../domain/operations.ts'
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
  const now = new Date().toISOString()
  const row = await database
    .updateTable('operations')
    .set((eb) => ({ state: 'running', startedAt: eb.fn.coalesce('startedAt', eb.val(now)) }))
    .where('id', '=', operationId)
    .where('state', 'in', ['pending', 'running'])
    .returning(['kind', 'projectId', 'resourceId', 'spec', 'cancelRequestedAt'])
    .executeTakeFirst()
  if (row === undefined) return undefined
  const { cancelRequestedAt, spec, ...rest } = row
  return { ...rest, spec: JSON.parse(spec) as unknown, cancelRequested: cancelRequestedAt !== null }
}
