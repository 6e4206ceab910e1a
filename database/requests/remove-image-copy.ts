import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { requireResource, type Tx } from '../resources.ts'

/**
 * Accepts the removal of an image's bytes from one of its stores; from now on nobody looks for them there. Throws RequestError 404, 403
 * for the last store or a protected image, or 409 while somebody reads them.
 */
export async function requestImageCopyRemoval(
  database: Database,
  actor: Actor,
  { imageId, store }: { imageId: string; store: string },
): Promise<{ operationId: string }> {
  return database.transaction().execute(async (tx) => {
    const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
    if (image.protected === 1) {
      throw new RequestError(403, 'imageProtected', `Image ${imageId} is protected and cannot be deleted.`)
    }
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'delete-image',
      spec: { imageId, store },
      resources: { copied: imageId },
      primary: 'copied',
      artifacts: [
        {
          kind: 'image',
          placeType: 'store',
          place: store,
          id: imageId,
          parentId: null,
          purpose: 'temporary',
        },
      ],
    })
    const copies = await tx
      .selectFrom('imageCopies')
      .select('store')
      .where('imageId', '=', imageId)
      .orderBy('store')
      .execute()
    const [first] = copies
    if (store === image.store) {
      if (first === undefined) throw lastStore(imageId, store)
      await tx.updateTable('images').set({ store: first.store }).where('id', '=', imageId).execute()
      await forget(tx, imageId, first.store)
    } else if (copies.some((copy) => copy.store === store)) await forget(tx, imageId, store)
    else throw new RequestError(404, 'imageNotInStore', `Image ${imageId} is not in store ${store}.`)
    return { operationId }
  })
}

async function forget(tx: Tx, imageId: string, store: string): Promise<void> {
  await tx.deleteFrom('imageCopies').where('imageId', '=', imageId).where('store', '=', store).execute()
}

function lastStore(imageId: string, store: string): RequestError {
  return new RequestError(403, 'lastStore', `Store ${store} is the last that has image ${imageId}.`)
}
