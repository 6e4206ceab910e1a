import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource, type Tx } from '../resources.ts'
import { choosePlace, refuseSnapshots } from './checks.ts'
import { volumeArtifact } from './new-volume.ts'
import type { PlaceNames } from './places.ts'

export interface MigrationRequest {
  readonly volumeId: string
  readonly backend: string
  /** What the volume is of afterwards; left out: what it was. */
  readonly volumeType?: { readonly id: string; readonly name: string }
}

/** Accepts the move of a volume to another backend. Like Cinder, refuses while the volume has snapshots. */
export function requestMigration(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: MigrationRequest,
): Promise<Accepted & { replayed: boolean }> {
  const toBackend = choosePlace('backend', request.backend, places.backends)
  return requestOnce(database, actor, { migrateVolume: request }, async (tx) => ({
    operationId: await acceptMigration(tx, actor, { ...request, backend: toBackend }),
    resourceId: request.volumeId,
  }))
}

/** As `requestMigration`, in the caller's transaction, to a backend that there is. Resolves to the operation's id. */
export async function acceptMigration(tx: Tx, actor: Actor, request: MigrationRequest): Promise<string> {
  const { backend: toBackend, volumeType } = request
  const key = { id: request.volumeId, projectId: actor.projectId }
  const { id: volumeId, backend, sizeBytes } = await requireResource(tx, 'volume', key)
  if (backend === toBackend) {
    throw new RequestError(
      400,
      'sameBackend',
      `Expected another backend than ${backend}, where volume ${volumeId} is already.`,
    )
  }
  await refuseRemains(tx, volumeId, toBackend)
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'migrate-volume',
    spec: {
      ...{ volumeId, backend, toBackend, sizeBytes },
      ...(volumeType === undefined ? {} : { volumeType }),
    },
    resources: { volume: volumeId },
    primary: 'volume',
    artifacts: [volumeArtifact(toBackend, volumeId)],
  })
  // Last: while a snapshot is being taken, the answer names who holds the volume.
  await refuseSnapshots(tx, volumeId)
  await tx.updateTable('volumes').set({ migrationStatus: 'migrating' }).where('id', '=', volumeId).execute()
  return operationId
}

/** What an earlier migration could not remove from there would be taken for the new copy, and be removed later. */
async function refuseRemains(tx: Tx, volumeId: string, backend: string): Promise<void> {
  const remains = await tx
    .selectFrom('artifacts')
    .select('operationId')
    .where('kind', '=', 'volume')
    .where('place', '=', backend)
    .where('id', '=', volumeId)
    .executeTakeFirst()
  if (remains === undefined) return
  throw new RequestError(
    409,
    'remainsInBackend',
    `Expected nothing of volume ${volumeId} in backend ${backend}, but operation ${remains.operationId} has left something there. ` +
      'It is removed as soon as that backend allows; try again later.',
  )
}
