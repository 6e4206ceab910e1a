import { RequestError } from '../../domain/errors.ts'
import { claimedStatus } from '../../domain/volume-claims.ts'
import { meetsSpecs } from '../../domain/volume-type-specs.ts'
import { NoBackendError, scheduleVolume } from '../cinder/schedule.ts'
import type { ExtraSpecs, VolumeTypeRow } from '../cinder/types.ts'
import { setColumns } from '../cinder/volumes.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { VolumeRow } from '../read.ts'
import { requireResource, type Tx } from '../resources.ts'
import { acceptMigration } from './migrate-volume.ts'
import type { PlaceNames } from './places.ts'

export interface RetypeRequest {
  readonly volumeId: string
  readonly type: VolumeTypeRow
  /** It may move to another backend, when its own has not what the type asks for. */
  readonly mayMigrate: boolean
}

/** A volume of another type: at once where its backend has what that asks for, else by a migration. Throws RequestError 400. */
export function requestRetype(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  { volumeId, type, mayMigrate }: RetypeRequest,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { retypeVolume: volumeId, type: type.id, mayMigrate }, async (tx) => {
    const volume = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    refuse(volume, type)
    const extraSpecs = JSON.parse(type.extraSpecs) as ExtraSpecs
    const capabilities = { ...places.capabilities?.[volume.backend], volume_backend_name: volume.backend }
    if (meetsSpecs(extraSpecs, capabilities)) {
      await setColumns(tx, 'volume', volumeId, { volumeType: type.name, volumeTypeId: type.id })
      return { operationId: null, resourceId: volumeId }
    }
    if (!mayMigrate)
      throw new RequestError(
        400,
        'wantsMigration',
        `Volume ${volumeId} cannot be of type ${type.name} in backend ${volume.backend}, and migration_policy is never.`,
      )
    const backend = await elsewhere(tx, places, volume, extraSpecs)
    const volumeType = { id: type.id, name: type.name }
    const operationId = await acceptMigration(tx, actor, { volumeId, backend, volumeType })
    await setColumns(tx, 'volume', volumeId, { claim: 'retyping' })
    return { operationId, resourceId: volumeId }
  })
}

function refuse(volume: VolumeRow, type: VolumeTypeRow): void {
  const status = claimedStatus(volume)
  if (status !== 'available' && status !== 'in-use')
    throw new RequestError(
      400,
      'invalidStatus',
      `Invalid volume: Volume ${volume.id} must be available or in-use to be retyped, but is ${status}.`,
    )
  if (volume.volumeTypeId === type.id)
    throw new RequestError(400, 'sameType', `New volume_type same as original: ${type.name}.`)
  if (type.encryption !== null)
    throw new RequestError(
      400,
      'encryptedType',
      `Volume type ${type.name} asks for encryption, and no backend encrypts.`,
    )
}

async function elsewhere(
  tx: Tx,
  places: PlaceNames,
  { backend, sizeBytes }: VolumeRow,
  extraSpecs: ExtraSpecs,
): Promise<string> {
  try {
    const only = places.backends.filter((name) => name !== backend)
    return await scheduleVolume(tx, places, { extraSpecs, sizeBytes, only })
  } catch (error) {
    if (error instanceof NoBackendError) throw new RequestError(400, 'noBackend', error.message)
    throw error
  }
}
