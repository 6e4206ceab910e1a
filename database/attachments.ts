/** Who has a volume open, as far as we were told. A row's volume is `in-use` when it rests, and only then. */
import type { Selectable } from 'kysely'
import { RequestError } from '../domain/errors.ts'
import type { OperationEnd, OperationKind, OperationSpecs } from '../domain/operations.ts'
import type { Database } from './open.ts'
import type { Tx } from './resources.ts'
import type { AttachmentsTable } from './schema.ts'

export type AttachmentRow = Selectable<AttachmentsTable>

export async function attachmentOf(
  database: Database | Tx,
  volumeId: string,
): Promise<AttachmentRow | undefined> {
  return database
    .selectFrom('attachments')
    .selectAll()
    .where('volumeId', '=', volumeId)
    .orderBy('createdAt')
    .executeTakeFirst()
}

/**
 * For an operation that can be done while a guest has the volume open: the guest that has to be asked, or nothing when nobody has it.
 * Throws RequestError 409 when it is in use and there is no guest that could be asked.
 */
export async function guestOf(tx: Tx, volumeId: string): Promise<{ guest?: string }> {
  const attachment = await attachmentOf(tx, volumeId)
  if (attachment === undefined) return {}
  if (attachment.guest !== null) return { guest: attachment.guest }
  throw new RequestError(
    409,
    'volumeInUse',
    `Volume ${volumeId} is in use, and no guest is known that could be asked. Detach it first, or attach it again with the guest's name.`,
  )
}

/** Throws RequestError 409 while somebody has the volume. */
export async function refuseAttached(tx: Tx, volumeId: string): Promise<void> {
  if ((await attachmentOf(tx, volumeId)) !== undefined) throw volumeInUse(volumeId)
}

export function volumeInUse(volumeId: string): RequestError {
  return new RequestError(409, 'volumeInUse', `Volume ${volumeId} is in use. Detach it first.`)
}

/** What a status means for a volume that rests: `available` and `in-use` are told apart by the attachments. */
export async function restingStatus(tx: Tx, volumeId: string, status: string): Promise<string> {
  if (status !== 'available' && status !== 'in-use') return status
  return (await attachmentOf(tx, volumeId)) === undefined ? 'available' : 'in-use'
}

/** What the end of an operation means for the attachments, in the end's transaction and before the volume's status is written. */
export async function applyToAttachments(
  tx: Tx,
  operation: { kind: OperationKind; spec: string; projectId: string; userId: string },
  end: OperationEnd,
): Promise<void> {
  if (end.outcome !== 'succeeded') return
  const { kind, projectId, userId } = operation
  if (kind === 'attach-volume') {
    const {
      attachmentId: id,
      volumeId,
      guest,
    } = JSON.parse(operation.spec) as OperationSpecs['attach-volume']
    const createdAt = new Date().toISOString()
    await tx
      .insertInto('attachments')
      .values({ id, projectId, userId, volumeId, guest: guest ?? null, createdAt })
      .onConflict((conflict) => conflict.column('id').doUpdateSet({ guest: guest ?? null }))
      .execute()
  }
  if (kind === 'detach-volume') {
    const { volumeId } = JSON.parse(operation.spec) as OperationSpecs['detach-volume']
    await tx.deleteFrom('attachments').where('volumeId', '=', volumeId).execute()
    await tx.deleteFrom('volumeConnections').where('volumeId', '=', volumeId).execute()
    await tx.updateTable('volumes').set({ claim: null }).where('id', '=', volumeId).execute()
  }
}
