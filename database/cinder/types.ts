/** Volume types: what an administrator offers, and who may use it. */
import type { Selectable } from 'kysely'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'
import type { VolumeTypesTable } from './schema.ts'

export type VolumeTypeRow = Selectable<VolumeTypesTable>
export type ExtraSpecs = Record<string, string>

/** Of volumes that were made without one. Made by the migration; it can be changed, and not deleted. */
export const DEFAULT_TYPE_NAME = '__DEFAULT__'

/** The type of that id or name, if the project may use it. Undefined project: an administrator asks. Throws RequestError 404. */
export async function requireVolumeType(
  database: Database | Tx,
  idOrName: string,
  projectId: string | undefined,
): Promise<VolumeTypeRow> {
  const rows = await database
    .selectFrom('volumeTypes')
    .selectAll()
    .where((eb) => eb.or([eb('id', '=', idOrName), eb('name', '=', idOrName)]))
    .execute()
  const row = rows.find(({ id }) => id === idOrName) ?? rows[0]
  if (row !== undefined && (await mayUse(database, row, projectId))) return row
  throw new RequestError(404, 'volumeTypeNotFound', `Volume type ${idOrName} could not be found.`)
}

async function mayUse(
  database: Database | Tx,
  { id, isPublic }: VolumeTypeRow,
  projectId: string | undefined,
): Promise<boolean> {
  if (projectId === undefined || isPublic === 1) return true
  const access = await database
    .selectFrom('volumeTypeAccess')
    .select('projectId')
    .where('volumeTypeId', '=', id)
    .where('projectId', '=', projectId)
    .executeTakeFirst()
  return access !== undefined
}

/** What a volume of the project is that names no type. */
export async function defaultVolumeType(database: Database | Tx, projectId: string): Promise<VolumeTypeRow> {
  const own = await database
    .selectFrom('defaultVolumeTypes')
    .innerJoin('volumeTypes', 'volumeTypes.id', 'defaultVolumeTypes.volumeTypeId')
    .selectAll('volumeTypes')
    .where('defaultVolumeTypes.projectId', '=', projectId)
    .executeTakeFirst()
  return own ?? requireVolumeType(database, DEFAULT_TYPE_NAME, undefined)
}

/** Those that the project may use; undefined: all that there are. */
export async function visibleTypeIds(database: Database, projectId: string): Promise<string[]> {
  const rows = await database
    .selectFrom('volumeTypes')
    .select('id')
    .where((eb) =>
      eb.or([
        eb('isPublic', '=', 1),
        eb(
          'id',
          'in',
          eb.selectFrom('volumeTypeAccess').select('volumeTypeId').where('projectId', '=', projectId),
        ),
      ]),
    )
    .execute()
  return rows.map(({ id }) => id)
}

/** Projects that have a default of their own. */
export async function defaultTypes(
  database: Database,
): Promise<{ projectId: string; volumeTypeId: string }[]> {
  return database.selectFrom('defaultVolumeTypes').selectAll().orderBy('projectId').execute()
}
