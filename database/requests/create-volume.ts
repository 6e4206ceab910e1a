import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { GiB, roundUp } from '../../domain/sizes.ts'
import type { Artifact } from '../../domain/artifacts.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource, type Tx } from '../resources.ts'
import { checkAtLeast, checkVolumeSize, choosePlace } from './checks.ts'
import type { PlaceNames } from './places.ts'

export interface VolumeRequest {
  /** May be left out with a source: then the source's size, rounded up to whole MiB. */
  readonly sizeBytes?: number
  readonly name?: string
  readonly description?: string
  readonly metadata?: Record<string, string>
  readonly backend?: string
  readonly imageId?: string
  readonly snapshotId?: string
  readonly backupId?: string
  /** From a snapshot: copy everything, so that the volume does not depend on it. */
  readonly flatten?: boolean
}

/** Accepts a new volume: blank, or from one image, snapshot or backup. */
export function requestVolume(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: VolumeRequest,
): Promise<Accepted & { replayed: boolean }> {
  const sources = [request.imageId, request.snapshotId, request.backupId].filter((id) => id !== undefined)
  if (sources.length > 1) {
    throw new RequestError(
      400,
      'manySources',
      'Expected at most one of image, snapshot and backup as the source.',
    )
  }
  return requestOnce(database, actor, { createVolume: request }, (tx) => {
    const volumeId = randomUUID()
    if (request.imageId !== undefined) return fromImage(tx, actor, places, request, volumeId, request.imageId)
    if (request.snapshotId !== undefined)
      return fromSnapshot(tx, actor, request, volumeId, request.snapshotId)
    if (request.backupId !== undefined)
      return fromBackup(tx, actor, places, request, volumeId, request.backupId)
    return blank(tx, actor, places, request, volumeId)
  })
}

async function blank(
  tx: Tx,
  actor: Actor,
  places: PlaceNames,
  request: VolumeRequest,
  volumeId: string,
): Promise<Accepted> {
  const backend = choosePlace('backend', request.backend, places.backends)
  const { sizeBytes } = request
  if (sizeBytes === undefined)
    throw new RequestError(400, 'sizeMissing', 'Expected a size: there is no source to take it from.')
  checkVolumeSize(sizeBytes)
  await insertVolume(tx, actor, request, { volumeId, backend, sizeBytes })
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume',
    spec: { volumeId, backend, sizeBytes },
    resources: { volume: volumeId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}

async function fromImage(
  tx: Tx,
  actor: Actor,
  places: PlaceNames,
  request: VolumeRequest,
  volumeId: string,
  imageId: string,
): Promise<Accepted> {
  const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
  const backend = choosePlace('backend', request.backend, places.backends)
  if (image.status !== 'active' || image.virtualSizeBytes === null) {
    throw new RequestError(
      409,
      'invalidStatus',
      `Expected image ${imageId} to be active, but its status is ${image.status}.`,
    )
  }
  const leastBytes = Math.max(image.virtualSizeBytes, image.minDisk * GiB)
  const sizeBytes = request.sizeBytes ?? roundUp(leastBytes, LIMITS.volumeSizeUnitBytes)
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "image's virtual size", sizeBytes: leastBytes })
  const volumeImageMetadata = JSON.stringify({
    image_id: imageId,
    image_name: image.name ?? '',
    checksum: image.checksum ?? '',
    container_format: image.containerFormat,
    disk_format: image.diskFormat,
    min_disk: String(image.minDisk),
    min_ram: String(image.minRam),
    size: String(image.sizeBytes ?? 0),
  })
  await insertVolume(tx, actor, request, {
    volumeId,
    backend,
    sizeBytes,
    imageId,
    bootable: 1,
    volumeImageMetadata,
  })
  const { store, diskFormat, virtualSizeBytes } = image
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume-from-image',
    spec: { volumeId, backend, sizeBytes, imageId, store, diskFormat, virtualSizeBytes },
    resources: { volume: volumeId, image: imageId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}

async function fromSnapshot(
  tx: Tx,
  actor: Actor,
  request: VolumeRequest,
  volumeId: string,
  snapshotId: string,
): Promise<Accepted> {
  const snapshot = await requireResource(tx, 'snapshot', { id: snapshotId, projectId: actor.projectId })
  // A layer or clone lives where its snapshot lives; moving it elsewhere is a migration.
  const backend = choosePlace('backend', request.backend, [snapshot.backend])
  const sizeBytes = request.sizeBytes ?? snapshot.sizeBytes
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: 'snapshot', sizeBytes: snapshot.sizeBytes })
  const origin = await tx
    .selectFrom('volumes')
    .select(['bootable', 'volumeImageMetadata'])
    .where('id', '=', snapshot.volumeId)
    .executeTakeFirst()
  await insertVolume(tx, actor, request, { volumeId, backend, sizeBytes, snapshotId, ...origin })
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume-from-snapshot',
    spec: {
      volumeId,
      backend,
      sizeBytes,
      snapshotId,
      sourceVolumeId: snapshot.volumeId,
      snapshotSizeBytes: snapshot.sizeBytes,
      flatten: request.flatten ?? false,
    },
    resources: { volume: volumeId, snapshot: snapshotId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}

async function fromBackup(
  tx: Tx,
  actor: Actor,
  places: PlaceNames,
  request: VolumeRequest,
  volumeId: string,
  backupId: string,
): Promise<Accepted> {
  const { projectId } = actor
  const backup = await requireResource(tx, 'backup', { id: backupId, projectId })
  const backend = choosePlace('backend', request.backend, places.backends)
  const sizeBytes = request.sizeBytes ?? backup.sizeBytes
  checkVolumeSize(sizeBytes)
  checkAtLeast(sizeBytes, { what: "backup's volume", sizeBytes: backup.sizeBytes })
  const metadata = { ...request.metadata, src_backup_id: backupId }
  const origin = await tx
    .selectFrom('volumes')
    .select(['bootable', 'volumeImageMetadata'])
    .where('id', '=', backup.volumeId)
    .executeTakeFirst()
  await insertVolume(
    tx,
    actor,
    { ...request, metadata },
    { volumeId, backend, sizeBytes, backupId, ...origin },
  )
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'restore-backup',
    spec: { volumeId, backend, sizeBytes, backupId, target: backup.target, projectId },
    resources: { volume: volumeId, backup: backupId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}

interface NewVolume {
  volumeId: string
  backend: string
  sizeBytes: number
  imageId?: string
  snapshotId?: string
  backupId?: string
  bootable?: number
  volumeImageMetadata?: string | null
}

async function insertVolume(tx: Tx, actor: Actor, request: VolumeRequest, volume: NewVolume): Promise<void> {
  await tx
    .insertInto('volumes')
    .values({
      id: volume.volumeId,
      projectId: actor.projectId,
      userId: actor.userId,
      name: request.name ?? null,
      description: request.description ?? null,
      status: 'creating',
      metadata: JSON.stringify(request.metadata ?? {}),
      createdAt: new Date().toISOString(),
      updatedAt: null,
      sizeBytes: volume.sizeBytes,
      backend: volume.backend,
      bootable: volume.bootable ?? 0,
      availabilityZone: 'nova',
      volumeType: null,
      volumeImageMetadata: volume.volumeImageMetadata ?? null,
      snapshotId: volume.snapshotId ?? null,
      sourceVolumeId: null,
      imageId: volume.imageId ?? null,
      backupId: volume.backupId ?? null,
    })
    .execute()
}

function volumeArtifact(backend: string, volumeId: string): Artifact {
  return {
    kind: 'volume',
    placeType: 'backend',
    place: backend,
    id: volumeId,
    parentId: null,
    purpose: 'result',
  }
}
