import { setTimeout as delay } from 'node:timers/promises'
import { setColumns } from '../../database/cinder/volumes.ts'
import { requireOperation } from '../../database/operations/read.ts'
import type { StoredResourceType } from '../../database/resources.ts'
import { BLOCK_STORAGE_LIMITS } from '../../domain/block-storage-limits.ts'
import { RequestError } from '../../domain/errors.ts'
import type { ApiContext } from '../context.ts'

/**
 * For a deletion that is forced: abandons every operation that holds the resource, waits until they have let go, and leaves the
 * resource in error. Throws RequestError 409 when one does not let go in time.
 */
export async function releaseHolders(
  context: ApiContext,
  type: StoredResourceType,
  row: { readonly id: string; readonly projectId: string },
): Promise<void> {
  await abandonHolders(context, row.id)
  const deadlineMs = Date.now() + BLOCK_STORAGE_LIMITS.forcedReleaseMs
  for (;;) {
    const [holder] = await holdersOf(context, row.id)
    if (holder === undefined) break
    if (Date.now() > deadlineMs)
      throw new RequestError(
        409,
        'conflict',
        `${row.id} is still held by operation ${holder}, which is being ended. Try again in a moment.`,
        holder,
      )
    await delay(BLOCK_STORAGE_LIMITS.releasePollMs, undefined, { signal: context.closing })
  }
  await setColumns(context.database, type, row.id, {
    status: 'error',
    ...(type === 'volume' ? { claim: null } : {}),
  })
}

/** Ends what holds the resource, without waiting for it: its end finds that the resource is no longer its own. */
export async function abandonHolders(context: ApiContext, resourceId: string): Promise<void> {
  for (const operationId of await holdersOf(context, resourceId)) {
    const { projectId } = await context.database
      .selectFrom('operations')
      .select('projectId')
      .where('id', '=', operationId)
      .executeTakeFirstOrThrow()
    await context.abandon({ operationId, projectId }).catch(async (error: unknown) => {
      const { state } = await requireOperation(context.database, { operationId, projectId })
      // It has ended meanwhile, which is what was wanted.
      if (state === 'pending' || state === 'running') throw error
    })
  }
}

async function holdersOf({ database }: ApiContext, resourceId: string): Promise<string[]> {
  const rows = await database
    .selectFrom('operationResources')
    .select('operationId')
    .where('resourceId', '=', resourceId)
    .execute()
  return rows.map(({ operationId }) => operationId)
}
