import { randomUUID } from 'node:crypto'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { choosePlace } from './checks.ts'
import type { PlaceNames } from './places.ts'

export interface ImageRequest {
  readonly name?: string
  readonly diskFormat: 'raw' | 'qcow2'
  readonly store?: string
  readonly minDiskGiB?: number
  readonly minRamMiB?: number
  readonly metadata?: Record<string, string>
}

/** Creates the image's record, status `queued`: its bytes come with an upload. */
export function requestImage(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: ImageRequest,
): Promise<Accepted & { replayed: boolean }> {
  const store = choosePlace('store', request.store, places.stores)
  return requestOnce(database, actor, { createImage: request }, async (tx) => {
    const imageId = randomUUID()
    await tx
      .insertInto('images')
      .values({
        id: imageId,
        projectId: actor.projectId,
        userId: actor.userId,
        name: request.name ?? null,
        description: null,
        status: 'queued',
        metadata: JSON.stringify(request.metadata ?? {}),
        createdAt: new Date().toISOString(),
        updatedAt: null,
        store,
        diskFormat: request.diskFormat,
        containerFormat: 'bare',
        visibility: 'private',
        protected: 0,
        osHidden: 0,
        minDisk: request.minDiskGiB ?? 0,
        minRam: request.minRamMiB ?? 0,
        sizeBytes: null,
        virtualSizeBytes: null,
        checksum: null,
        osHashAlgo: null,
        osHashValue: null,
      })
      .execute()
    return { operationId: null, resourceId: imageId }
  })
}
