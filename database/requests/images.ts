import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource, type Tx } from '../resources.ts'
import { choosePlace } from './checks.ts'
import { dropStaged, stageArtifact } from './uploads.ts'
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
    const imageId = request.id ?? randomUUID()
    await insertImage(
      tx,
      actor,
      { containerFormat: 'bare', ...request },
      { imageId, store, status: 'queued' },
    )
    return { operationId: null, resourceId: imageId }
  })
}

/** Accepts the deletion of an image. Volumes that were made from it have their own bytes. */
export function requestImageDeletion(
  database: Database,
  actor: Actor,
  imageId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { deleteImage: imageId }, async (tx) => {
    const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
    if (image.protected === 1) {
      throw new RequestError(403, 'imageProtected', `Image ${imageId} is protected and cannot be deleted.`)
    }
    const wasStaged = await dropStaged(tx, image)
    const copies = await copiesOf(tx, imageId)
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'delete-image',
      spec: { imageId, store: image.store, ...(copies.length === 0 ? {} : { copies }) },
      resources: { image: imageId },
      primary: 'image',
      artifacts: wasStaged ? [{ ...stageArtifact(image), purpose: 'temporary' }] : [],
    })
    return { operationId, resourceId: imageId }
  })
}

async function copiesOf(tx: Tx, imageId: string): Promise<string[]> {
  const rows = await tx.selectFrom('imageCopies').select('store').where('imageId', '=', imageId).execute()
  return rows.map(({ store }) => store)
}
