import { busyStatus } from '../../domain/operations.ts'
import { restingStatus } from '../attachments.ts'
import type { Database } from '../open.ts'
import { isStored, resourceStatus, setStatus, type StoredResourceType, type Tx } from '../resources.ts'

/**
 * Lets go of locks that stayed behind when their operation ended or vanished, which only happens by somebody's hand. Their resources
 * get the status that a failed operation leaves.
 */
export async function letGoOfLocks(tx: Tx, operationId: string): Promise<void> {
  const locks = await tx
    .deleteFrom('operationResources')
    .where('operationId', '=', operationId)
    .returningAll()
    .execute()
  for (const { resourceType, resourceId, busyStatus: busy } of locks) {
    if (isStored(resourceType) && busy !== null) await reset(tx, resourceType, resourceId, busy)
  }
}

/** The same for a resource that says that it is being worked on, and nobody holds it. Anything else: nothing happens. */
export async function resetUnheld(
  database: Database,
  type: StoredResourceType,
  id: string,
  busy: string,
): Promise<void> {
  await database.transaction().execute((tx) => reset(tx, type, id, busy))
}

async function reset(tx: Tx, type: StoredResourceType, id: string, busy: string): Promise<void> {
  const next = busyStatus(type, busy)
  const holder = await tx
    .selectFrom('operationResources')
    .select('operationId')
    .where('resourceId', '=', id)
    .where('busyStatus', '=', busy)
    .executeTakeFirst()
  if (next === undefined || holder !== undefined || (await resourceStatus(tx, type, id)) !== busy) return
  const status = type === 'volume' ? await restingStatus(tx, id, next.failed) : next.failed
  await setStatus(tx, type, id, status)
}
