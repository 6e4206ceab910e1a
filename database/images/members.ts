import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { IMAGE_LIMITS } from '../../domain/image-limits.ts'
import type { ImageMembersTable, MemberStatus } from '../image-tables.ts'
import type { Database } from '../open.ts'
import type { ImageRow } from '../read.ts'
import type { Tx } from '../resources.ts'
import { type ImageReader, requireOwnImage, requireVisibleImage } from './visible.ts'

export type ImageMember = Selectable<ImageMembersTable>

/** The owner sees all members, a member itself alone. Throws RequestError 403 where the image is not shared. */
export async function listMembers(
  database: Database,
  reader: ImageReader,
  imageId: string,
): Promise<ImageMember[]> {
  const image = await requireVisibleImage(database, reader, imageId)
  requireShared(image)
  let query = database
    .selectFrom('imageMembers')
    .selectAll()
    .where('imageId', '=', imageId)
    .orderBy('createdAt')
    .orderBy('memberId')
  if (!owns(reader, image)) query = query.where('memberId', '=', reader.projectId)
  return query.execute()
}

/** Throws RequestError 404 for a member that the reader does not see. */
export async function showMember(
  database: Database,
  reader: ImageReader,
  key: { imageId: string; memberId: string },
): Promise<ImageMember> {
  const image = await requireVisibleImage(database, reader, key.imageId)
  if (!owns(reader, image) && key.memberId !== reader.projectId) throw memberNotFound(key)
  return requireMember(database, key)
}

/** Offers the image to a project. Throws RequestError 403, 409 for one that has it, or 413 for one too many. */
export async function addMember(
  database: Database,
  reader: ImageReader,
  { imageId, memberId }: { imageId: string; memberId: string },
): Promise<ImageMember> {
  return database.transaction().execute(async (tx) => {
    requireShared(await requireOwnImage(tx, reader, imageId))
    const members = await tx
      .selectFrom('imageMembers')
      .select('memberId')
      .where('imageId', '=', imageId)
      .execute()
    if (members.some((member) => member.memberId === memberId)) {
      throw new RequestError(409, 'memberExists', `Member ${memberId} is duplicated for image ${imageId}.`)
    }
    if (members.length >= IMAGE_LIMITS.membersMax) {
      throw new RequestError(
        413,
        'tooManyMembers',
        `Expected at most ${IMAGE_LIMITS.membersMax} members of an image.`,
      )
    }
    const now = new Date().toISOString()
    const member = { imageId, memberId, status: 'pending', createdAt: now, updatedAt: now } as const
    await tx.insertInto('imageMembers').values(member).execute()
    return member
  })
}

/** What a project says to an image that it was offered: nobody says it in its place but an administrator. */
export async function answerMember(
  database: Database,
  reader: ImageReader,
  { imageId, memberId, status }: { imageId: string; memberId: string; status: MemberStatus },
): Promise<ImageMember> {
  return database.transaction().execute(async (tx) => {
    const image = await requireVisibleImage(tx, reader, imageId)
    const isMember = memberId === reader.projectId
    if (!isMember && !owns(reader, image)) throw memberNotFound({ imageId, memberId })
    const member = await requireMember(tx, { imageId, memberId })
    if (!isMember && !reader.isAdmin) {
      throw new RequestError(403, 'notMember', `Expected member ${memberId} itself to answer for it.`)
    }
    const changed = { status, updatedAt: new Date().toISOString() }
    await tx
      .updateTable('imageMembers')
      .set(changed)
      .where('imageId', '=', imageId)
      .where('memberId', '=', memberId)
      .execute()
    return { ...member, ...changed }
  })
}

export async function removeMember(
  database: Database,
  reader: ImageReader,
  key: { imageId: string; memberId: string },
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    requireShared(await requireOwnImage(tx, reader, key.imageId))
    await requireMember(tx, key)
    await tx
      .deleteFrom('imageMembers')
      .where('imageId', '=', key.imageId)
      .where('memberId', '=', key.memberId)
      .execute()
  })
}

async function requireMember(
  database: Database | Tx,
  key: { imageId: string; memberId: string },
): Promise<ImageMember> {
  const member = await database
    .selectFrom('imageMembers')
    .selectAll()
    .where('imageId', '=', key.imageId)
    .where('memberId', '=', key.memberId)
    .executeTakeFirst()
  if (member === undefined) throw memberNotFound(key)
  return member
}

function owns(reader: ImageReader, image: ImageRow): boolean {
  return reader.isAdmin || image.projectId === reader.projectId
}

function requireShared(image: ImageRow): void {
  if (image.visibility === 'shared') return
  throw new RequestError(403, 'imageNotShared', 'Only shared images have members.')
}

function memberNotFound({ imageId, memberId }: { imageId: string; memberId: string }): RequestError {
  return new RequestError(404, 'memberNotFound', `Image ${imageId} has no member ${memberId}.`)
}
