/** What Cinder's dialect changes of volumes and snapshots without an operation. */
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { RESOURCE_TABLES, type StoredResourceType, type Tx } from '../resources.ts'

type Strings = Record<string, string>

/** Sizes and metadata of all volumes of a project, or of all; metadata: key -> the values that there are. */
export async function volumeSummaryOf(
  database: Database,
  projectId: string | undefined,
): Promise<{ count: number; sizes: number[]; metadata: Record<string, string[]> }> {
  let query = database.selectFrom('volumes').select(['sizeBytes', 'metadata'])
  if (projectId !== undefined) query = query.where('projectId', '=', projectId)
  const rows = await query.execute()
  // Users choose the keys: `constructor` is one like any other.
  const values = new Map<string, Set<string>>()
  for (const row of rows) {
    for (const [key, value] of Object.entries(JSON.parse(row.metadata) as Strings))
      values.set(key, (values.get(key) ?? new Set()).add(value))
  }
  const metadata = Object.fromEntries(values.entries().map(([key, all]) => [key, [...all]]))
  return { count: rows.length, sizes: rows.map(({ sizeBytes }) => sizeBytes), metadata }
}

export interface Description {
  readonly name?: string | null
  readonly description?: string | null
  readonly metadata?: Strings
}

/** Changes how a resource is described. Metadata that are given take the place of all that there were. */
export async function describe(
  database: Database,
  type: StoredResourceType,
  id: string,
  { name, description, metadata }: Description,
): Promise<void> {
  await database
    .updateTable(tableOf(type))
    .set({
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }),
      updatedAt: new Date().toISOString(),
    })
    .where('id', '=', id)
    .execute()
}

/**
 * Changes a dictionary of a resource in one transaction. `change` answers the new one, or throws. Resolves to it. Throws RequestError
 * 404 when the resource is gone.
 */
export async function changeEntries(
  database: Database,
  where: { type: StoredResourceType; id: string; column: 'metadata' | 'volumeImageMetadata' },
  change: (entries: Strings) => Strings,
): Promise<Strings> {
  const { type, id, column } = where
  return database.transaction().execute(async (tx) => {
    const row = await tx.selectFrom(tableOf(type)).select(column).where('id', '=', id).executeTakeFirst()
    if (row === undefined) throw new RequestError(404, 'notFound', `${id} could not be found.`)
    const changed = change(JSON.parse(row[column] ?? '{}') as Strings)
    await setColumns(tx, type, id, { [column]: JSON.stringify(changed) })
    return changed
  })
}

export async function setColumns(
  tx: Tx | Database,
  type: StoredResourceType,
  id: string,
  columns: Readonly<Record<string, string | number | null>>,
): Promise<void> {
  await tx
    .updateTable(tableOf(type))
    .set({ ...columns, updatedAt: new Date().toISOString() })
    .where('id', '=', id)
    .execute()
}

function tableOf(type: StoredResourceType): 'volumes' {
  return RESOURCE_TABLES[type] as 'volumes'
}
