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
    const context = { tx, actor, places, request, volumeId: randomUUID() }
    if (request.imageId !== undefined) return fromImage(context, request.imageId)
    if (request.snapshotId !== undefined) return fromSnapshot(context, request.snapshotId)
    if (request.backupId !== undefined) return fromBackup(context, request.backupId)
    return blank(context)
  })
}
