import type { Database } from '../../database/open.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { endOperation } from '../../database/operations/end.ts'
import type { OperationEnd } from '../../domain/operations.ts'

/** Does in the database what a worker would do. */
export async function runToEnd(
  database: Database,
  operationId: string,
  end: OperationEnd = { outcome: 'succeeded', result: { path: 'blank', movedBytes: 0 } },
): Promise<void> {
  await beginOperation(database, operationId)
  await endOperation(database, operationId, end)
}
