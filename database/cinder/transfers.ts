/** A volume changes its project: offered by one, with a key that is shown once, and accepted by whoever has the key. */
import { createHmac, randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Selectable } from 'kysely'
import { BLOCK_STORAGE_LIMITS } from '../../domain/block-storage-limits.ts'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import type { Actor } from '../operations/accept.ts'
import type { Tx } from '../resources.ts'
import { claimInTransaction } from './claims.ts'
import type { VolumeTransfersTable } from './schema.ts'

export type TransferRow = Selectable<VolumeTransfersTable>

export async function createTransfer(
  database: Database,
  actor: Actor,
  { volumeId, name, noSnapshots }: { volumeId: string; name: string | null; noSnapshots: boolean },
): Promise<{ row: TransferRow; key: string }> {
  const key = randomBytes(BLOCK_STORAGE_LIMITS.transferKeyBytes).toString('hex')
  const salt = randomBytes(BLOCK_STORAGE_LIMITS.transferKeyBytes).toString('hex')
  const row: TransferRow = {
    id: randomUUID(),
    volumeId,
    projectId: actor.projectId,
    destinationProjectId: null,
    name,
    noSnapshots: noSnapshots ? 1 : 0,
    salt,
    keyHash: hashOf(salt, key).toString('hex'),
    createdAt: new Date().toISOString(),
  }
  await database.transaction().execute(async (tx) => {
    const volume = { id: volumeId, projectId: actor.projectId }
    await claimInTransaction(tx, volume, { from: ['available'], claim: 'awaiting-transfer' })
    await tx.insertInto('volumeTransfers').values(row).execute()
  })
  return { row, key }
}

/** The volume, with its snapshots unless they were left out, is the actor's. Throws RequestError 404, or 400 for a wrong key. */
export async function acceptTransfer(
  database: Database,
  actor: Actor,
  { id, key }: { id: string; key: string },
): Promise<TransferRow> {
  return database.transaction().execute(async (tx) => {
    const row = await requireTransfer(tx, id)
    if (!timingSafeEqual(hashOf(row.salt, key), Buffer.from(row.keyHash, 'hex')))
      throw new RequestError(
        400,
        'invalidAuthKey',
        `Invalid auth key: attempt to transfer ${id} with a wrong key.`,
      )
    const { volumeId, projectId } = row
    const volume = { id: volumeId, projectId }
    await claimInTransaction(tx, volume, { from: ['awaiting-transfer'], claim: null })
    const owner = { projectId: actor.projectId, userId: actor.userId }
    await tx.updateTable('volumes').set(owner).where('id', '=', volumeId).execute()
    if (row.noSnapshots === 0) {
      await refuseHeldSnapshots(tx, volumeId)
      await tx.updateTable('snapshots').set(owner).where('volumeId', '=', volumeId).execute()
    }
    await tx.deleteFrom('volumeTransfers').where('id', '=', id).execute()
    return { ...row, destinationProjectId: actor.projectId }
  })
}

/** Somebody of the old project is reading or changing one. */
async function refuseHeldSnapshots(tx: Tx, volumeId: string): Promise<void> {
  const held = await tx
    .selectFrom('operationResources')
    .innerJoin('snapshots', 'snapshots.id', 'operationResources.resourceId')
    .select(['snapshots.id', 'operationId'])
    .where('volumeId', '=', volumeId)
    .executeTakeFirst()
  if (held === undefined) return
  throw new RequestError(
    409,
    'resourceBusy',
    `Snapshot ${held.id} is held by operation ${held.operationId}. Wait for it to end.`,
    held.operationId,
  )
}

/** The volume is its project's alone again. Throws RequestError 404. */
export async function deleteTransfer(database: Database, id: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { volumeId } = await requireTransfer(tx, id)
    await tx.deleteFrom('volumeTransfers').where('id', '=', id).execute()
    await tx
      .updateTable('volumes')
      .set({ claim: null })
      .where('id', '=', volumeId)
      .where('claim', '=', 'awaiting-transfer')
      .execute()
  })
}

export async function requireTransfer(database: Database | Tx, id: string): Promise<TransferRow> {
  const row = await database.selectFrom('volumeTransfers').selectAll().where('id', '=', id).executeTakeFirst()
  if (row !== undefined) return row
  throw new RequestError(404, 'transferNotFound', `Transfer ${id} could not be found.`)
}

function hashOf(salt: string, key: string): Buffer {
  return createHmac('sha256', salt).update(key).digest()
}
