import { INVISIBLE_IMAGE_STATUS } from '../../domain/glance-status.ts'
import type { Database } from '../open.ts'

export interface ImageUsage {
  readonly images: number
  /** Of files as uploaded, once for each store that has them. */
  readonly sizeBytes: number
  readonly stagedBytes: number
  readonly uploading: number
}

/** What a project has in the image stores. */
export async function imageUsage(database: Database, projectId: string): Promise<ImageUsage> {
  const own = await database
    .selectFrom('images')
    .select((eb) => [eb.fn.countAll<number>().as('images'), eb.fn.sum<number>('sizeBytes').as('sizeBytes')])
    .where('projectId', '=', projectId)
    .where('status', '!=', INVISIBLE_IMAGE_STATUS)
    .executeTakeFirstOrThrow()
  const copies = await database
    .selectFrom('imageCopies')
    .innerJoin('images', 'images.id', 'imageCopies.imageId')
    .select((eb) => eb.fn.sum<number>('images.sizeBytes').as('sizeBytes'))
    .where('images.projectId', '=', projectId)
    .executeTakeFirstOrThrow()
  const uploads = await database
    .selectFrom('uploads')
    .innerJoin('images', 'images.id', 'uploads.imageId')
    .select((eb) => [
      eb.fn.countAll<number>().as('uploading'),
      eb.fn.sum<number>('uploads.sizeBytes').as('stagedBytes'),
    ])
    .where('images.projectId', '=', projectId)
    .executeTakeFirstOrThrow()
  // Sums of nothing are null, and PostgreSQL's are text.
  return {
    images: Number(own.images),
    sizeBytes: Number(own.sizeBytes ?? 0) + Number(copies.sizeBytes ?? 0),
    stagedBytes: Number(uploads.stagedBytes ?? 0),
    uploading: Number(uploads.uploading),
  }
}
