import type { FastifyRequest } from 'fastify'
import type { Actor } from '../../database/operations/accept.ts'
import type { Rows } from '../native/answers.ts'
import { RESOURCE_TABLES } from '../../database/resources.ts'
import { RequestError } from '../../domain/errors.ts'
import { sees } from '../../domain/policy.ts'
import { actorOf } from '../actor.ts'
import type { ApiContext } from '../context.ts'
import { callerOf } from '../identity/caller.ts'

/**
 * The row, and in whose name something is done with it: an administrator works in the project that has it. Throws RequestError 404 in
 * Cinder's words, also for what another project has.
 */
export async function owned<T extends keyof Rows & keyof typeof RESOURCE_TABLES>(
  { database }: ApiContext,
  request: FastifyRequest,
  type: T,
  id: string,
): Promise<{ row: Rows[T]; actor: Actor }> {
  const row = await database
    .selectFrom(RESOURCE_TABLES[type] as 'volumes')
    .selectAll()
    .where('id', '=', id)
    .executeTakeFirst()
  if (row === undefined || !sees(callerOf(request), row.projectId))
    throw new RequestError(404, `${type}NotFound`, `${TITLES[type]} ${id} could not be found.`)
  return { row: row as unknown as Rows[T], actor: { ...actorOf(request), projectId: row.projectId } }
}

const TITLES = { volume: 'Volume', snapshot: 'Snapshot', backup: 'Backup', image: 'Image' } as const
