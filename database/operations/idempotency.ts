import { createHash } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { Actor } from './accept.ts'

export interface Accepted {
  /** Null where the request was complete at once (an image record, for example). */
  readonly operationId: string | null
  readonly resourceId: string
}

/**
 * Runs a request in one transaction, once per idempotency key and project: a repeated key gets the first answer, and a key that
 * comes back with another request is refused.
 */
export async function requestOnce(
  database: Database,
  actor: Actor,
  request: unknown,
  work: (tx: Tx) => Promise<Accepted>,
): Promise<Accepted & { replayed: boolean }> {
  const requestHash = createHash('sha256').update(JSON.stringify(request)).digest('hex')
  return database.transaction().execute(async (tx) => {
    const { idempotencyKey, projectId } = actor
    if (idempotencyKey === undefined) return { ...(await work(tx)), replayed: false }
    const earlier = await tx
      .selectFrom('idempotencyKeys')
      .selectAll()
      .where('projectId', '=', projectId)
      .where('idempotencyKey', '=', idempotencyKey)
      .executeTakeFirst()
    if (earlier !== undefined) {
      if (earlier.requestHash !== requestHash) {
        throw new RequestError(
          409,
          'idempotencyKeyReused',
          `Idempotency key "${idempotencyKey}" was used for another request. Use a new key.`,
        )
      }
      return { operationId: earlier.operationId, resourceId: earlier.resourceId, replayed: true }
    }
    const accepted = await work(tx)
    await tx
      .insertInto('idempotencyKeys')
      .values({ projectId, idempotencyKey, requestHash, ...accepted, createdAt: new Date().toISOString() })
      .execute()
    return { ...accepted, replayed: false }
  })
}
