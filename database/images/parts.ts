import type { Database } from '../open.ts'
import type { ImageRow } from '../read.ts'
import type { Tx } from '../resources.ts'

/** An image with what other tables say about it. */
export interface ImageRecord extends ImageRow {
  readonly tags: readonly string[]
  /** All that have its bytes, its own first; empty as long as it has none. */
  readonly stores: readonly string[]
  /** Stores that are getting them. */
  readonly comingTo: readonly string[]
}

export async function withParts(
  database: Database | Tx,
  images: readonly ImageRow[],
): Promise<ImageRecord[]> {
  if (images.length === 0) return []
  const ids = images.map(({ id }) => id)
  const tagRows = await database
    .selectFrom('imageTags')
    .selectAll()
    .where('imageId', 'in', ids)
    .orderBy('tag')
    .execute()
  const copyRows = await database
    .selectFrom('imageCopies')
    .selectAll()
    .where('imageId', 'in', ids)
    .orderBy('store')
    .execute()
  const comingRows = await database
    .selectFrom('artifacts')
    .innerJoin('operations', 'operations.id', 'artifacts.operationId')
    .select(['artifacts.id', 'artifacts.place'])
    .where('artifacts.id', 'in', ids)
    .where('operations.kind', '=', 'copy-image')
    .where('operations.state', 'in', ['pending', 'running'])
    .orderBy('artifacts.place')
    .execute()
  const tags = Map.groupBy(tagRows, ({ imageId }) => imageId)
  const copies = Map.groupBy(copyRows, ({ imageId }) => imageId)
  return images.map((image) => ({
    ...image,
    tags: (tags.get(image.id) ?? []).map(({ tag }) => tag),
    comingTo: comingRows.flatMap(({ id, place }) => (id === image.id ? [place] : [])),
    stores: hasBytes(image) ? [image.store, ...(copies.get(image.id) ?? []).map(({ store }) => store)] : [],
  }))
}

function hasBytes({ status }: ImageRow): boolean {
  return status === 'active' || status === 'deactivated'
}
