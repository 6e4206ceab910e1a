import type { Database } from '../open.ts'

/**
 * An operation that goes on without one of the resources that it only read: others may have it from now on. Only for roles that show
 * no status of their own. Repeatable.
 */
export async function letGo(database: Database, operationId: string, role: string): Promise<void> {
  await database
    .deleteFrom('operationResources')
    .where('operationId', '=', operationId)
    .where('role', '=', role)
    .where('busyStatus', 'is', null)
    .execute()
}
