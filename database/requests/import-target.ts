import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { chooseRepository } from './checks.ts'
import type { PlaceNames } from './places.ts'

/** Accepts the import of all backups that a target has and the database does not know. */
export function requestImport(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  wanted: string,
): Promise<Accepted & { replayed: boolean }> {
  const target = chooseRepository(wanted, places, 'volflow fsck names those that the database does not know.')
  return requestOnce(database, actor, { importTarget: target }, async (tx) => {
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'import-target',
      spec: { target },
      resources: { target },
      primary: 'target',
    })
    return { operationId, resourceId: target }
  })
}
