import type { Database } from '../../database/open.ts'
import type { Actor } from '../../database/operations/accept.ts'
import type { Accepted } from '../../database/operations/idempotency.ts'
import { type Action, action, NOTHING } from './actions.ts'
import { owned } from './owned.ts'
import { releaseHolders } from './release-holders.ts'
import { start } from './start.ts'

/** `os-force_delete`: whatever holds it lets go of it first. */
export function forceDelete(
  type: 'volume' | 'snapshot' | 'backup',
  request: (database: Database, actor: Actor, id: string) => Promise<Accepted>,
): Action {
  return action(
    NOTHING,
    async ({ context, request: call, reply, id }) => {
      const { row, actor } = await owned(context, call, type, id)
      await releaseHolders(context, type, row)
      start(context, reply, await request(context.database, actor, row.id))
      return reply.code(202).send()
    },
    { rule: 'admin' },
  )
}
