import { RequestError } from '../../domain/errors.ts'
import type { DiskFormat } from '../../domain/disk-formats.ts'
import { type ImageCall, IMAGE_TRANSITIONS, mayImage } from '../../domain/glance-status.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import type { Database } from '../open.ts'
import type { ImageRow } from '../read.ts'
import { setStatus, type Tx } from '../resources.ts'
import { withParts, type ImageRecord } from './parts.ts'
import { type ImageReader, requireOwnImage } from './visible.ts'

/** What users may change; what is left out stays. */
export interface ImageChange {
  readonly name?: string | null
  readonly diskFormat?: DiskFormat | null
  readonly containerFormat?: string | null
  readonly visibility?: string
  readonly protected?: number
  readonly osHidden?: number
  readonly minDisk?: number
  readonly minRam?: number
  readonly projectId?: string
  readonly metadata?: Readonly<Record<string, string>>
  readonly tags?: readonly string[]
}

/**
 * Changes an image in one transaction: `plan` gets it as it is. Throws what `plan` throws, and RequestError 403 for formats of an image
 * that has bytes.
 */
export async function changeImage(
  database: Database,
  reader: ImageReader,
  imageId: string,
  plan: (image: ImageRecord) => ImageChange,
): Promise<ImageRecord> {
  return database.transaction().execute(async (tx) => {
    const [image] = await withParts(tx, [await requireOwnImage(tx, reader, imageId)])
    if (image === undefined) throw new Error(`No image ${imageId}`)
    const { tags, metadata, ...columns } = plan(image)
    refuseFormats(image, columns)
    await tx
      .updateTable('images')
      .set({
        ...columns,
        ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
        updatedAt: new Date().toISOString(),
      })
      .where('id', '=', imageId)
      .execute()
    if (tags !== undefined) await setTags(tx, imageId, tags)
    const changed = await withParts(tx, [await requireImage(tx, imageId)])
    if (changed[0] === undefined) throw new Error(`No image ${imageId}`)
    return changed[0]
  })
}

function requireImage(tx: Tx, imageId: string): Promise<ImageRow> {
  return tx.selectFrom('images').selectAll().where('id', '=', imageId).executeTakeFirstOrThrow()
}

function refuseFormats(image: ImageRow, change: ImageChange): void {
  for (const [column, name] of [
    ['diskFormat', 'disk_format'],
    ['containerFormat', 'container_format'],
  ] as const) {
    if (change[column] === undefined || change[column] === image[column] || image.status === 'queued')
      continue
    throw new RequestError(
      403,
      'imageNotQueued',
      `Attribute '${name}' can be only replaced for a queued image.`,
    )
  }
}

export async function setTags(tx: Tx, imageId: string, tags: readonly string[]): Promise<void> {
  await tx.deleteFrom('imageTags').where('imageId', '=', imageId).execute()
  const rows = [...new Set(tags)].map((tag) => ({ imageId, tag }))
  if (rows.length > 0) await tx.insertInto('imageTags').values(rows).execute()
}

/** Repeatable. Throws RequestError 413 for one too many. */
export async function addTag(
  database: Database,
  reader: ImageReader,
  image: { imageId: string; tag: string },
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    await requireOwnImage(tx, reader, image.imageId)
    const tags = await tx.selectFrom('imageTags').select('tag').where('imageId', '=', image.imageId).execute()
    if (tags.some(({ tag }) => tag === image.tag)) return
    if (tags.length >= IMAGE_LIMITS.tagsMax) {
      throw new RequestError(413, 'tooManyTags', `Expected at most ${IMAGE_LIMITS.tagsMax} tags of an image.`)
    }
    await tx.insertInto('imageTags').values(image).execute()
  })
}

/** Throws RequestError 404 when the image does not have it. */
export async function removeTag(
  database: Database,
  reader: ImageReader,
  { imageId, tag }: { imageId: string; tag: string },
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    await requireOwnImage(tx, reader, imageId)
    const { numDeletedRows } = await tx
      .deleteFrom('imageTags')
      .where('imageId', '=', imageId)
      .where('tag', '=', tag)
      .executeTakeFirstOrThrow()
    if (numDeletedRows === 0n) throw new RequestError(404, 'tagNotFound', 'Tag not found on the image.')
  })
}

/** A change of status that takes one transaction. Repeatable. Throws RequestError 403 where Glance does. */
export async function switchImage(
  database: Database,
  reader: ImageReader,
  { imageId, call }: { imageId: string; call: Extract<ImageCall, 'deactivate' | 'reactivate'> },
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { status } = await requireOwnImage(tx, reader, imageId)
    if (!mayImage(call, status)) {
      throw new RequestError(403, 'invalidStatus', `Not allowed to ${call} image in status '${status}'.`)
    }
    const { to } = IMAGE_TRANSITIONS[call]
    if (status !== to) await setStatus(tx, 'image', imageId, to)
  })
}
