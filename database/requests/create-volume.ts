import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { VolumeRequest } from './new-volume.ts'
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
    const context = { tx, actor, places, request, volumeId: randomUUID() }
    if (imageId !== undefined) return fromImage(context, imageId)
    if (snapshotId !== undefined) return fromSnapshot(context, snapshotId)
    if (backupId !== undefined) return fromBackup(context, backupId)
    if (sourceVolumeId !== undefined) return fromVolume(context, sourceVolumeId)
    return blank(context)
  })
}
