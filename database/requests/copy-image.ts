import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { ImageRow } from '../read.ts'
import { requireResource, type Tx } from '../resources.ts'
import { choosePlace } from './checks.ts'
import type { PlaceNames } from './places.ts'

/** Accepts a copy of an image's bytes in another store. Throws RequestError 404, 400, or 409 when that has them or is getting them. */
export function requestImageCopy(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: { imageId: string; store: string },
): Promise<Accepted & { replayed: boolean }> {
  const store = choosePlace('store', request.store, places.stores)
  return requestOnce(database, actor, { copyImage: request }, async (tx) => {
    const image = await requireImage(tx, actor, request.imageId)
    const taken = await storesTaken(tx, image)
    if (taken.has(store)) throw alreadyThere(image.id, store)
    return { operationId: await acceptCopy(tx, actor, image, store), resourceId: image.id }
  })
}

/** The same in every one of the stores that does not have it. Throws RequestError 409 when all have. */
export async function requestImageCopies(
  database: Database,
  actor: Actor,
  { imageId, stores }: { imageId: string; stores: readonly string[] },
): Promise<string[]> {
  return database.transaction().execute(async (tx) => {
    const image = await requireImage(tx, actor, imageId)
    const taken = await storesTaken(tx, image)
    const wanted = [...new Set(stores)].filter((store) => !taken.has(store))
    if (wanted.length === 0) throw alreadyThere(imageId, stores.join(', '))
    const operationIds: string[] = []
    for (const store of wanted) operationIds.push(await acceptCopy(tx, actor, image, store))
    return operationIds
  })
}

/** With its hash, which every image with bytes has; what else is wrong with its status, the lock finds. */
async function requireImage(tx: Tx, actor: Actor, imageId: string) {
  const image = await requireResource(tx, 'image', { id: imageId, projectId: actor.projectId })
  const { osHashValue, sizeBytes } = image
  if (image.status === 'active' && osHashValue !== null && sizeBytes !== null)
    return { ...image, osHashValue, sizeBytes }
  throw new RequestError(
    409,
    'invalidStatus',
    `Expected image ${imageId} to be active for a copy, but its status is ${image.status}.`,
  )
}

async function storesTaken(tx: Tx, image: ImageRow): Promise<Set<string>> {
  const copies = await tx.selectFrom('imageCopies').select('store').where('imageId', '=', image.id).execute()
  const coming = await tx
    .selectFrom('artifacts')
    .select('place as store')
    .where('kind', '=', 'image')
    .where('id', '=', image.id)
    .execute()
  return new Set([image, ...copies, ...coming].map(({ store }) => store))
}

function acceptCopy(
  tx: Tx,
  actor: Actor,
  image: Awaited<ReturnType<typeof requireImage>>,
  toStore: string,
): Promise<string> {
  const { id: imageId, store, osHashValue: sha512, sizeBytes } = image
  return acceptOperation(tx, {
    actor,
    kind: 'copy-image',
    spec: { imageId, store, toStore, sha512, sizeBytes },
    resources: { image: imageId },
    primary: 'image',
    artifacts: [
      {
        kind: 'image',
        placeType: 'store',
        place: toStore,
        id: imageId,
        parentId: null,
        purpose: 'result',
      },
    ],
  })
}

function alreadyThere(imageId: string, store: string): RequestError {
  return new RequestError(
    409,
    'imageAlreadyThere',
    `Image ${imageId} is in store ${store} already, or on its way to or from there.`,
  )
}
