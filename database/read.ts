import type { Selectable } from 'kysely'
import { newestFirst } from './newest-first.ts'
import type { Database } from './open.ts'
import { RESOURCE_TABLES, requireResource, type StoredResourceType } from './resources.ts'
import type { BackupsTable, ImagesTable, SnapshotsTable, VolumesTable } from './schema.ts'

export type VolumeRow = Selectable<VolumesTable>
export type SnapshotRow = Selectable<SnapshotsTable>
export type ImageRow = Selectable<ImagesTable>
export type BackupRow = Selectable<BackupsTable>

interface RowOf {
  volume: VolumeRow
  snapshot: SnapshotRow
  image: ImageRow
  backup: BackupRow
}

export interface ResourceFilter {
  readonly projectId: string
  readonly name?: string
  readonly status?: string
  readonly limit: number
  /** Id of the last resource of the page before. */
  readonly marker?: string
}

/** A project's resources, newest first. */
export async function listResources<T extends StoredResourceType>(
  database: Database,
  type: T,
  filter: ResourceFilter,
): Promise<RowOf[T][]> {
  const { marker: id, projectId } = filter
  const last =
    id === undefined ? undefined : ((await requireResource(database, type, { id, projectId })) as VolumeRow)
  return (await newestFirst(database, RESOURCE_TABLES[type], filter, last)) as unknown as RowOf[T][]
}

/** Operation that holds the resource for itself alone, if any: shown with the resource. */
export async function holderOf(database: Database, resourceId: string): Promise<string | undefined> {
  const row = await database
    .selectFrom('operationResources')
    .select('operationId')
    .where('resourceId', '=', resourceId)
    .orderBy('mode')
    .executeTakeFirst()
  return row?.operationId
}
