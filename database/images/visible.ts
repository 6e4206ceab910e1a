import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { INVISIBLE_IMAGE_STATUS } from '../../domain/glance-status.ts'
import type { MemberStatus } from '../image-tables.ts'
import type { Database } from '../open.ts'
import type { ImageRow } from '../read.ts'
import type { Tx } from '../resources.ts'
import type { Schema } from '../schema.ts'

/** For whom images are looked up. */
export interface ImageReader {
  readonly projectId: string
  readonly isAdmin: boolean
}

/**
 * An image that the project may see by its id: its own, a public or community one, or one that is shared with it, whatever it said to
 * that (glance/db/sqlalchemy/api.py: is_image_visible). Throws RequestError 404 that does not tell whether there is one.
 *
 * @param evenDeleting also one whose deletion is under way, and may yet be given up.
 */
export async function requireVisibleImage(
  database: Database | Tx,
  reader: ImageReader,
  imageId: string,
  { evenDeleting = false }: { evenDeleting?: boolean } = {},
): Promise<ImageRow> {
  let query = database.selectFrom('images').selectAll().where('id', '=', imageId)
  if (!evenDeleting) query = query.where('status', '!=', INVISIBLE_IMAGE_STATUS)
  if (!reader.isAdmin) query = query.where((eb) => eb.or(openTo(eb, reader.projectId)))
  const row = await query.executeTakeFirst()
  if (row !== undefined) return row
  throw new RequestError(404, 'imageNotFound', `No image found with ID ${imageId}`)
}

/** As `requireVisibleImage`; throws RequestError 403 when somebody else owns it. */
export async function requireOwnImage(
  database: Database | Tx,
  reader: ImageReader,
  imageId: string,
): Promise<ImageRow> {
  const image = await requireVisibleImage(database, reader, imageId)
  if (reader.isAdmin || image.projectId === reader.projectId) return image
  throw new RequestError(403, 'notOwner', `Expected the owner of image ${imageId}, who alone may do this.`)
}

type Builder = ExpressionBuilder<Schema, 'images'>

function openTo(eb: Builder, projectId: string): Expression<SqlBool>[] {
  return [
    eb('images.projectId', '=', projectId),
    eb('images.visibility', 'in', ['public', 'community']),
    sharedWith(eb, projectId),
  ]
}

/** @param status what the project said; undefined: anything. */
export function sharedWith(eb: Builder, projectId: string, status?: MemberStatus): Expression<SqlBool> {
  let members = eb
    .selectFrom('imageMembers')
    .select('imageMembers.imageId')
    .where('imageMembers.memberId', '=', projectId)
  if (status !== undefined) members = members.where('imageMembers.status', '=', status)
  return eb.and([eb('images.visibility', '=', 'shared'), eb('images.id', 'in', members)])
}
