import type { Transaction } from 'kysely'
import type { Schema } from '../schema.ts'

/** With the image itself. */
export async function removeImageParts(tx: Transaction<Schema>, imageId: string): Promise<void> {
  for (const table of ['imageTags', 'imageMembers', 'imageCopies'] as const) {
    await tx.deleteFrom(table).where('imageId', '=', imageId).execute()
  }
}
