/** What users are told about requests that were accepted and failed later: Cinder's messages. */
import { randomUUID } from 'node:crypto'
import { BLOCK_STORAGE_LIMITS } from '../../domain/block-storage-limits.ts'
import type { Actor } from '../operations/accept.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { MessagesTable } from './schema.ts'

/** Action 001 is scheduling, detail 003 that no backend was found (cinder/message/message_field.py). */
export const NO_BACKEND = { eventId: 'VOLUME_VOLUME_001_003' } as const

export async function addMessage(
  tx: Tx,
  actor: Pick<Actor, 'projectId' | 'requestId'>,
  message: {
    readonly resourceType: string
    readonly resourceId: string
    readonly eventId: string
    readonly text: string
  },
): Promise<void> {
  const now = Date.now()
  await tx.deleteFrom('messages').where('expiresAt', '<', new Date(now).toISOString()).execute()
  await tx
    .insertInto('messages')
    .values({
      id: randomUUID(),
      projectId: actor.projectId,
      requestId: actor.requestId,
      level: 'ERROR',
      createdAt: new Date(now).toISOString(),
      expiresAt: new Date(now + BLOCK_STORAGE_LIMITS.messageKeptMs).toISOString(),
      ...message,
    })
    .execute()
}

export async function messageOf(database: Database, id: string): Promise<MessagesTable | undefined> {
  return database.selectFrom('messages').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function deleteMessage(database: Database, id: string): Promise<void> {
  await database.deleteFrom('messages').where('id', '=', id).execute()
}
