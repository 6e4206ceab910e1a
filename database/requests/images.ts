import { randomUUID } from 'node:crypto'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { choosePlace } from './checks.ts'
import { type ImageRequest, insertImage } from './new-image.ts'
import type { PlaceNames } from './places.ts'

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
    await insertImage(tx, actor, request, { imageId, store, status: 'queued' })
    return { operationId: null, resourceId: imageId }
  })
}
