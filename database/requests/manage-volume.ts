import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { refuseAttached } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource, type Tx } from '../resources.ts'
import { choosePlace, refuseSnapshots } from './checks.ts'
import { insertVolume, requireTypeOn, type VolumeRequest } from './new-volume.ts'
import type { PlaceNames } from './places.ts'

type Described = Pick<VolumeRequest, 'name' | 'description' | 'metadata' | 'volumeType'>

export interface ManageRequest extends Described {
  readonly backend: string
  /** What it is called in the backend: docs/volumes.md. */
  readonly sourceName: string
  readonly bootable?: boolean
}

/** As drivers call volumes of their own, as Cinder does. */
const OWN_NAME = /^volume-([0-9a-f-]{36})$/

/**
 * Accepts that what somebody else put into a backend becomes a volume. It is there when the operation has succeeded, and then has its
 * size. Throws RequestError 400 for a place that is not configured, a type that cannot be there, or a name that is a volume's already.
 */
export function requestManagement(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: ManageRequest,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { manageVolume: request }, async (tx) => {
    const backend = choosePlace('backend', request.backend, places.backends)
    requireTypeOn(places, request, backend)
    await refuseManaged(tx, request.sourceName)
    const volumeId = randomUUID()
    await insertVolume(tx, actor, request, {
      ...{ volumeId, backend, sizeBytes: 0, status: 'managing' },
      bootable: request.bootable === true ? 1 : 0,
    })
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'manage-volume',
      spec: { volumeId, backend, sourceName: request.sourceName },
      resources: { volume: volumeId },
      primary: 'volume',
    })
    return { operationId, resourceId: volumeId }
  })
}

/** Accepts that a volume is volflow's no more; its bytes stay in the backend. Refuses while it has snapshots or is attached. */
export function requestUnmanagement(
  database: Database,
  actor: Actor,
  volumeId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { unmanageVolume: volumeId }, async (tx) => {
    const volume = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'unmanage-volume',
      spec: { volumeId, backend: volume.backend },
      resources: { volume: volumeId },
      primary: 'volume',
    })
    await refuseAttached(tx, volumeId)
    await refuseSnapshots(tx, volumeId)
    return { operationId, resourceId: volumeId }
  })
}

/** Also what an operation is just making, which has no row yet. Whatever the backend: two of them may be one place. */
async function refuseManaged(tx: Tx, sourceName: string): Promise<void> {
  const [, id = ''] = OWN_NAME.exec(sourceName) ?? []
  const volume = await tx.selectFrom('volumes').select('id').where('id', '=', id).executeTakeFirst()
  const artifact = await tx.selectFrom('artifacts').select('id').where('id', '=', id).executeTakeFirst()
  if (volume === undefined && artifact === undefined) return
  throw new RequestError(
    400,
    'alreadyManaged',
    `Unable to manage existing volume. Volume ${sourceName} already managed.`,
  )
}
