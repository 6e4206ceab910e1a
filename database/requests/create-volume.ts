import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { addMessage, NO_BACKEND } from '../cinder/messages.ts'
import { NoBackendError } from '../cinder/schedule.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { insertVolume, type NewVolumeContext, type VolumeRequest } from './new-volume.ts'
import type { PlaceNames } from './places.ts'
import { fromBackup } from './volume-sources/backup.ts'
import { blank } from './volume-sources/blank.ts'
import { fromImage } from './volume-sources/image.ts'
import { fromSnapshot } from './volume-sources/snapshot.ts'
import { fromVolume } from './volume-sources/volume.ts'

/** Accepts a new volume: blank, or from one image, snapshot, backup or volume. */
export function requestVolume(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: VolumeRequest,
): Promise<Accepted & { replayed: boolean }> {
  const { imageId, snapshotId, backupId, sourceVolumeId } = request
  const sources = [imageId, snapshotId, backupId, sourceVolumeId].filter((id) => id !== undefined)
  if (sources.length > 1) {
    throw new RequestError(
      400,
      'manySources',
      'Expected at most one of image, snapshot, backup and volume as the source.',
    )
  }
  return requestOnce(database, actor, { createVolume: request }, (tx) => {
    return orInError({ tx, actor, places, request, volumeId: randomUUID() }, accept)
  })
}

function accept(context: NewVolumeContext): Promise<Accepted> {
  const { imageId, snapshotId, backupId, sourceVolumeId } = context.request
  if (imageId !== undefined) return fromImage(context, imageId)
  if (snapshotId !== undefined) return fromSnapshot(context, snapshotId)
  if (backupId !== undefined) return fromBackup(context, backupId)
  if (sourceVolumeId !== undefined) return fromVolume(context, sourceVolumeId)
  return blank(context)
}

/** As in Cinder, a volume that fits nowhere is there all the same, in error, and a message says why. */
async function orInError(
  context: NewVolumeContext,
  work: (context: NewVolumeContext) => Promise<Accepted>,
): Promise<Accepted> {
  try {
    return await work(context)
  } catch (error) {
    if (!(error instanceof NoBackendError)) throw error
    const { tx, actor, places, request, volumeId } = context
    const { sizeBytes, message } = error
    await insertVolume(tx, actor, request, {
      volumeId,
      backend: places.backends[0] ?? '',
      sizeBytes,
      status: 'error',
    })
    await addMessage(tx, actor, {
      resourceType: 'VOLUME',
      resourceId: volumeId,
      ...NO_BACKEND,
      text: message,
    })
    return { operationId: null, resourceId: volumeId }
  }
}
