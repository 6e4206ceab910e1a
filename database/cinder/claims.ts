/** The steps by which a volume is promised to somebody, connected, and given back: Cinder's attachments. Each is a compare-and-set. */
import { randomUUID } from 'node:crypto'
import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import { YIELDING } from '../../domain/operations.ts'
import { claimedStatus, type VolumeClaim } from '../../domain/volume-claims.ts'
import { attachmentOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import { requireResource, type Tx } from '../resources.ts'
import type { VolumeConnectionsTable } from './schema.ts'
import { setColumns } from './volumes.ts'

export type ConnectionRow = Selectable<VolumeConnectionsTable>

/** Throws RequestError 400 when the volume is not one of `from`, or an operation works on it. */
export async function claimVolume(
  database: Database,
  key: { id: string; projectId: string },
  { from, claim }: { from: readonly string[]; claim: VolumeClaim | null },
): Promise<void> {
  await database.transaction().execute((tx) => claimInTransaction(tx, key, { from, claim }))
}

export async function claimInTransaction(
  tx: Tx,
  key: { id: string; projectId: string },
  { from, claim }: { from: readonly string[]; claim: VolumeClaim | null },
): Promise<void> {
  const volume = await requireResource(tx, 'volume', key)
  const status = claimedStatus(volume)
  if (!from.includes(status))
    throw new RequestError(
      400,
      'invalidStatus',
      `Invalid volume: Volume ${key.id} status must be ${from.join(' or ')}, but current status is ${status}.`,
    )
  await refuseHeld(tx, key.id)
  await setColumns(tx, 'volume', key.id, { claim })
}

/** Whoever promises a volume away must not meet an operation that is changing it. */
async function refuseHeld(tx: Tx, id: string): Promise<void> {
  const holder = await tx
    .selectFrom('operationResources')
    .innerJoin('operations', 'operations.id', 'operationResources.operationId')
    .select('operationId')
    .where('operationResources.resourceId', '=', id)
    .where('mode', '=', 'exclusive')
    .where('kind', 'not in', [...YIELDING])
    .executeTakeFirst()
  if (holder === undefined) return
  throw new RequestError(
    409,
    'resourceBusy',
    `Volume ${id} is held by operation ${holder.operationId}. Wait for it to end.`,
    holder.operationId,
  )
}

export interface NewConnection {
  readonly volumeId: string
  readonly instanceId: string | null
  readonly mode: 'rw' | 'ro'
}

/** A connection to come. Resolves to its id. */
export async function reserveConnection(
  database: Database,
  actor: Actor,
  { volumeId, instanceId, mode }: NewConnection,
): Promise<string> {
  const id = randomUUID()
  await database.transaction().execute(async (tx) => {
    const key = { id: volumeId, projectId: actor.projectId }
    await claimInTransaction(tx, key, { from: ['available'], claim: 'reserved' })
    await insertConnection(tx, actor, { id, volumeId, instanceId, mode, status: 'reserved' })
  })
  return id
}

/** Somebody has the volume from now on. */
export async function attachVolume(
  database: Database,
  actor: Actor,
  connection: NewConnection & { readonly hostName: string | null; readonly mountpoint: string },
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { volumeId } = connection
    const volume = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    if (volume.readOnly === 1 && connection.mode === 'rw')
      throw new RequestError(
        400,
        'invalidMode',
        `Invalid attaching mode 'rw' for volume ${volumeId}, which is read-only.`,
      )
    const key = { id: volumeId, projectId: actor.projectId }
    await claimInTransaction(tx, key, { from: ['available', 'attaching', 'reserved'], claim: null })
    const now = new Date().toISOString()
    const id = (await attachmentOf(tx, volumeId))?.id ?? randomUUID()
    await insertConnection(tx, actor, { ...connection, id, status: 'attached', attachedAt: now })
    await take(tx, actor, { id, volumeId })
  })
}

/** The connection is made: the volume is its owner's. Throws RequestError 400 unless it was being made. */
export async function completeConnection(database: Database, actor: Actor, id: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { volumeId, status } = await requireConnection(tx, id)
    if (status !== 'attaching' && status !== 'attached')
      throw new RequestError(
        400,
        'invalidStatus',
        `Invalid volume attachment: attachment ${id} must be attaching, but is ${status}.`,
      )
    const now = new Date().toISOString()
    await tx
      .updateTable('volumeConnections')
      .set({ status: 'attached', attachedAt: now, updatedAt: now })
      .where('id', '=', id)
      .execute()
    await take(tx, actor, { id, volumeId })
  })
}

/** The volume is in use, and the rest of volflow knows it. */
async function take(tx: Tx, actor: Actor, { id, volumeId }: { id: string; volumeId: string }): Promise<void> {
  if ((await attachmentOf(tx, volumeId)) === undefined) {
    const { projectId, userId } = actor
    const createdAt = new Date().toISOString()
    await tx
      .insertInto('attachments')
      .values({ id, projectId, userId, volumeId, guest: null, createdAt })
      .execute()
  }
  await setColumns(tx, 'volume', volumeId, { status: 'in-use', claim: null })
}

/** Forgets a connection that nobody has used. */
export async function dropConnection(database: Database, { id, volumeId }: ConnectionRow): Promise<void> {
  await database.transaction().execute(async (tx) => {
    await tx.deleteFrom('volumeConnections').where('id', '=', id).execute()
    await setColumns(tx, 'volume', volumeId, { claim: null })
  })
}

export async function connectionOf(database: Database, id: string): Promise<ConnectionRow | undefined> {
  return database.selectFrom('volumeConnections').selectAll().where('id', '=', id).executeTakeFirst()
}

export async function connectionsTo(database: Database, volumeId: string): Promise<ConnectionRow[]> {
  return database
    .selectFrom('volumeConnections')
    .selectAll()
    .where('volumeId', '=', volumeId)
    .orderBy('createdAt')
    .execute()
}

/** What the client was told about how to connect. */
export async function noteConnection(
  database: Database,
  id: string,
  columns: Partial<Omit<ConnectionRow, 'id' | 'volumeId'>>,
): Promise<void> {
  await database
    .updateTable('volumeConnections')
    .set({ ...columns, updatedAt: new Date().toISOString() })
    .where('id', '=', id)
    .execute()
}

async function requireConnection(tx: Tx, id: string): Promise<ConnectionRow> {
  const row = await tx.selectFrom('volumeConnections').selectAll().where('id', '=', id).executeTakeFirst()
  if (row !== undefined) return row
  throw new RequestError(
    404,
    'attachmentNotFound',
    `Volume attachment could not be found with filter: ${id}.`,
  )
}

async function insertConnection(
  tx: Tx,
  { projectId, userId }: Actor,
  row: Pick<ConnectionRow, 'id' | 'volumeId' | 'instanceId' | 'mode' | 'status'> & Partial<ConnectionRow>,
): Promise<void> {
  await tx
    .insertInto('volumeConnections')
    .values({ ...row, projectId, userId, createdAt: new Date().toISOString() })
    .execute()
}
