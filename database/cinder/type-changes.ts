/** What administrators change of volume types. */
import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import { DEFAULT_TYPE_NAME, type ExtraSpecs, requireVolumeType, type VolumeTypeRow } from './types.ts'

/** Throws RequestError 409 when the name is taken. */
export async function createVolumeType(
  database: Database,
  type: {
    name: string
    description: string | null
    isPublic: boolean
    extraSpecs: ExtraSpecs
  },
): Promise<VolumeTypeRow> {
  return database.transaction().execute(async (tx) => {
    await refuseTaken(tx, type.name)
    const row = {
      id: randomUUID(),
      name: type.name,
      description: type.description,
      isPublic: type.isPublic ? 1 : 0,
      extraSpecs: JSON.stringify(type.extraSpecs),
      encryption: null,
      createdAt: new Date().toISOString(),
      updatedAt: null,
    }
    await tx.insertInto('volumeTypes').values(row).execute()
    return row
  })
}

/** Volumes of the type show its new name. Throws RequestError 404, or 409 when the name is taken. */
export async function updateVolumeType(
  database: Database,
  id: string,
  change: { name?: string; description?: string; isPublic?: boolean },
): Promise<VolumeTypeRow> {
  return database.transaction().execute(async (tx) => {
    const row = await requireVolumeType(tx, id, undefined)
    if (change.name !== undefined && change.name !== row.name) {
      await refuseTaken(tx, change.name)
      await tx
        .updateTable('volumes')
        .set({ volumeType: change.name })
        .where('volumeTypeId', '=', row.id)
        .execute()
    }
    return changeRow(tx, row.id, {
      ...(change.name === undefined ? {} : { name: change.name }),
      ...(change.description === undefined ? {} : { description: change.description }),
      ...(change.isPublic === undefined ? {} : { isPublic: change.isPublic ? 1 : 0 }),
    })
  })
}

async function refuseTaken(tx: Tx, name: string): Promise<void> {
  const taken = await tx.selectFrom('volumeTypes').select('id').where('name', '=', name).executeTakeFirst()
  if (taken === undefined) return
  throw new RequestError(409, 'alreadyExists', `Volume Type ${name} already exists.`)
}

/** Throws RequestError 404, or 400 for one that volumes have, or that is somebody's default. */
export async function deleteVolumeType(database: Database, idOrName: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { id, name } = await requireVolumeType(tx, idOrName, undefined)
    const used = await tx.selectFrom('volumes').select('id').where('volumeTypeId', '=', id).executeTakeFirst()
    const isDefault = await tx
      .selectFrom('defaultVolumeTypes')
      .select('projectId')
      .where('volumeTypeId', '=', id)
      .executeTakeFirst()
    if (used !== undefined || isDefault !== undefined || name === DEFAULT_TYPE_NAME) {
      const why = used !== undefined ? `volume ${used.id} has it` : 'it is the default of a project'
      throw new RequestError(400, 'volumeTypeInUse', `Volume type ${idOrName} cannot be deleted: ${why}.`)
    }
    await tx.deleteFrom('volumeTypeAccess').where('volumeTypeId', '=', id).execute()
    await tx.deleteFrom('volumeTypes').where('id', '=', id).execute()
  })
}

/** `change` answers the new specs, or throws. Resolves to them. Throws RequestError 404. */
export async function changeExtraSpecs(
  database: Database,
  idOrName: string,
  change: (specs: ExtraSpecs) => ExtraSpecs,
): Promise<ExtraSpecs> {
  return database.transaction().execute(async (tx) => {
    const row = await requireVolumeType(tx, idOrName, undefined)
    const changed = change(JSON.parse(row.extraSpecs) as ExtraSpecs)
    await changeRow(tx, row.id, { extraSpecs: JSON.stringify(changed) })
    return changed
  })
}

/** Null: volumes of the type shall not be encrypted. Refused by `check`, which sees the row, while volumes have the type. */
export async function changeEncryption(
  database: Database,
  idOrName: string,
  change: (row: VolumeTypeRow, isUsed: boolean) => object | null,
): Promise<VolumeTypeRow> {
  return database.transaction().execute(async (tx) => {
    const row = await requireVolumeType(tx, idOrName, undefined)
    const used = await tx
      .selectFrom('volumes')
      .select('id')
      .where('volumeTypeId', '=', row.id)
      .executeTakeFirst()
    const encryption = change(row, used !== undefined)
    return changeRow(tx, row.id, { encryption: encryption === null ? null : JSON.stringify(encryption) })
  })
}

async function changeRow(
  tx: Tx,
  id: string,
  columns: Readonly<Record<string, string | number | null>>,
): Promise<VolumeTypeRow> {
  return tx
    .updateTable('volumeTypes')
    .set({ ...columns, updatedAt: new Date().toISOString() })
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirstOrThrow()
}

/** Lets a project use a type that is not public. Throws RequestError 404, 409 when it may already, 400 for a public one. */
export async function addTypeAccess(database: Database, idOrName: string, projectId: string): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { id, isPublic } = await requireVolumeType(tx, idOrName, undefined)
    if (isPublic === 1)
      throw new RequestError(
        400,
        'typeIsPublic',
        `Volume type ${idOrName} is public: every project may use it.`,
      )
    const { numInsertedOrUpdatedRows } = await tx
      .insertInto('volumeTypeAccess')
      .values({ volumeTypeId: id, projectId })
      .onConflict((conflict) => conflict.columns(['volumeTypeId', 'projectId']).doNothing())
      .executeTakeFirstOrThrow()
    if (numInsertedOrUpdatedRows === 0n)
      throw new RequestError(
        409,
        'alreadyExists',
        `Volume type access for ${idOrName} / ${projectId} combination already exists.`,
      )
  })
}

/** Throws RequestError 404 when it may not use it. */
export async function removeTypeAccess(
  database: Database,
  idOrName: string,
  projectId: string,
): Promise<void> {
  await database.transaction().execute(async (tx) => {
    const { id } = await requireVolumeType(tx, idOrName, undefined)
    const { numDeletedRows } = await tx
      .deleteFrom('volumeTypeAccess')
      .where('volumeTypeId', '=', id)
      .where('projectId', '=', projectId)
      .executeTakeFirstOrThrow()
    if (numDeletedRows === 0n)
      throw new RequestError(
        404,
        'accessNotFound',
        `Volume type access not found for ${idOrName} / ${projectId} combination.`,
      )
  })
}

/** Throws RequestError 404. */
export async function typeAccess(database: Database, typeId: string): Promise<string[]> {
  const rows = await database
    .selectFrom('volumeTypeAccess')
    .select('projectId')
    .where('volumeTypeId', '=', typeId)
    .execute()
  return rows.map(({ projectId }) => projectId)
}

/** Of a project, for volumes that name no type. Throws RequestError 404. */
export async function setDefaultType(
  database: Database,
  projectId: string,
  idOrName: string,
): Promise<VolumeTypeRow> {
  return database.transaction().execute(async (tx) => {
    const type = await requireVolumeType(tx, idOrName, undefined)
    await tx.deleteFrom('defaultVolumeTypes').where('projectId', '=', projectId).execute()
    await tx.insertInto('defaultVolumeTypes').values({ projectId, volumeTypeId: type.id }).execute()
    return type
  })
}
