import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { choosePlace } from './checks.ts'
import { ownTargets, type PlaceNames } from './places.ts'

/** Accepts the import of all backups that a target has and the database does not know. */
export function requestImport(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  wanted: string,
): Promise<Accepted & { replayed: boolean }> {
  const target = choosePlace('target', wanted, ownTargets(places))
  const { projectId, userId } = actor
  return requestOnce(database, actor, { importTarget: target }, async (tx) => {
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'import-target',
      spec: { target, projectId, userId },
      resources: { target },
      primary: 'target',
    })
    return { operationId, resourceId: target }
  })
}
