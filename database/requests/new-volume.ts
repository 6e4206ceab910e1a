import type { Artifact } from '../../domain/artifacts.ts'
import { RequestError } from '../../domain/errors.ts'
import { meetsSpecs } from '../../domain/volume-type-specs.ts'
import { scheduleVolume } from '../cinder/schedule.ts'
import type { Actor } from '../operations/accept.ts'
import type { Tx } from '../resources.ts'
import { choosePlace } from './checks.ts'
import type { PlaceNames } from './places.ts'

export interface VolumeRequest {
  /** May be left out with a source: then the source's size, rounded up to whole MiB. */
  readonly sizeBytes?: number
  readonly name?: string
  readonly description?: string
  readonly metadata?: Record<string, string>
  readonly backend?: string
  /** Its specs choose the backend. */
  readonly volumeType?: {
    readonly id: string
    readonly name: string
    readonly extraSpecs: Readonly<Record<string, string>>
  }
  readonly imageId?: string
  readonly snapshotId?: string
  readonly backupId?: string
  readonly sourceVolumeId?: string
  /** From a snapshot or a volume: copy everything, so that the volume does not depend on it. */
  readonly flatten?: boolean
}

/** What every source of a new volume works with. */
export interface NewVolumeContext {
  readonly tx: Tx
  readonly actor: Actor
  readonly places: PlaceNames
  readonly request: VolumeRequest
  readonly volumeId: string
}

/** Where a new volume goes that may be anywhere. Throws RequestError 400, or NoBackendError when its type fits nowhere. */
export async function placeFor(
  { tx, places, request }: NewVolumeContext,
  sizeBytes: number,
): Promise<string> {
  const { backend, volumeType } = request
  if (volumeType === undefined) return choosePlace('backend', backend, places.backends)
  return scheduleVolume(tx, places, { extraSpecs: volumeType.extraSpecs, sizeBytes })
}

/** For a volume that has to be where its source is. Throws RequestError 400 when its type cannot be there. */
export function requireTypeOn(places: PlaceNames, { volumeType }: VolumeRequest, backend: string): void {
  const capabilities = { ...places.capabilities?.[backend], volume_backend_name: backend }
  if (volumeType === undefined || meetsSpecs(volumeType.extraSpecs, capabilities)) return
  throw new RequestError(
    400,
    'typeElsewhere',
    `Expected a volume type that backend ${backend} has, where the source is, got ${volumeType.name}. Retype the new volume instead.`,
  )
}

interface NewVolume {
  volumeId: string
  backend: string
  sizeBytes: number
  imageId?: string
  snapshotId?: string
  backupId?: string
  sourceVolumeId?: string
  status?: 'creating' | 'managing' | 'error'
  bootable?: number
  volumeImageMetadata?: string | null
}

export async function insertVolume(
  tx: Tx,
  actor: Actor,
  request: VolumeRequest,
  volume: NewVolume,
): Promise<void> {
  await tx
    .insertInto('volumes')
    .values({
      id: volume.volumeId,
      projectId: actor.projectId,
      userId: actor.userId,
      name: request.name ?? null,
      description: request.description ?? null,
      status: volume.status ?? 'creating',
      metadata: JSON.stringify(request.metadata ?? {}),
      createdAt: new Date().toISOString(),
      updatedAt: null,
      sizeBytes: volume.sizeBytes,
      backend: volume.backend,
      bootable: volume.bootable ?? 0,
      availabilityZone: 'nova',
      volumeType: request.volumeType?.name ?? null,
      volumeTypeId: request.volumeType?.id ?? null,
      volumeImageMetadata: volume.volumeImageMetadata ?? null,
      snapshotId: volume.snapshotId ?? null,
      sourceVolumeId: volume.sourceVolumeId ?? null,
      imageId: volume.imageId ?? null,
      backupId: volume.backupId ?? null,
    })
    .execute()
}

/** A snapshot that no user sees. It lives as long as the operation; with `result` it stays after its success. */
export function temporarySnapshot(
  backend: string,
  snapshotId: string,
  volumeId: string,
  purpose: Artifact['purpose'] = 'temporary',
): Artifact {
  return {
    kind: 'snapshot',
    placeType: 'backend',
    place: backend,
    id: snapshotId,
    parentId: volumeId,
    purpose,
  }
}

export function volumeArtifact(backend: string, volumeId: string): Artifact {
  return {
    kind: 'volume',
    placeType: 'backend',
    place: backend,
    id: volumeId,
    parentId: null,
    purpose: 'result',
  }
}

/** Of a volume that takes the place of another. Temporary even when the operation succeeds: then it has become the volume, and there is nothing to release. */
export function contentArtifact(backend: string, contentId: string): Artifact {
  return { ...volumeArtifact(backend, contentId), purpose: 'temporary' }
}
