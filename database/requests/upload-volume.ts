import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { formatBytes } from '../../domain/sizes.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'
import { choosePlace } from './checks.ts'
import { insertImage } from './new-image.ts'
import type { PlaceNames } from './places.ts'

export interface VolumeUploadRequest {
  readonly volumeId: string
  readonly name?: string
  readonly diskFormat: 'raw' | 'qcow2'
  readonly store?: string
  readonly visibility?: 'private' | 'shared' | 'community' | 'public'
  readonly protected?: boolean
}

/** Accepts a new image with the bytes of a volume. */
export function requestVolumeUpload(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: VolumeUploadRequest,
): Promise<Accepted & { replayed: boolean }> {
  const store = choosePlace('store', request.store, places.stores)
  return requestOnce(database, actor, { uploadVolume: request }, async (tx) => {
    const { projectId } = actor
    const volume = await requireResource(tx, 'volume', { id: request.volumeId, projectId })
    const { id: volumeId, backend, sizeBytes } = volume
    if (sizeBytes > LIMITS.imageSizeMaxBytes) {
      throw new RequestError(
        400,
        'volumeTooLarge',
        `Expected a volume of at most ${formatBytes(LIMITS.imageSizeMaxBytes)} to make an image of, got ${formatBytes(sizeBytes)}.`,
      )
    }
    const imageId = randomUUID()
    await insertImage(
      tx,
      actor,
      { containerFormat: 'bare', ...request },
      { imageId, store, status: 'saving' },
    )
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'upload-volume-to-image',
      spec: { imageId, store, diskFormat: request.diskFormat, volumeId, backend, sizeBytes },
      resources: { image: imageId, volume: volumeId },
      primary: 'image',
      artifacts: [
        { kind: 'image', placeType: 'store', place: store, id: imageId, parentId: null, purpose: 'result' },
      ],
    })
    return { operationId, resourceId: imageId }
  })
}
