import type { Selectable } from 'kysely'
import type { Database } from './open.ts'
import type { Schema } from './schema.ts'

type Listed = 'volumes' | 'snapshots' | 'images' | 'backups' | 'schedules' | 'webhooks'

/** A page of a project's rows, newest first, behind `last`, the last one of the page before. Resources alone have a status. */
export async function newestFirst<T extends Listed>(
  database: Database,
  table: T,
  filter: {
    readonly projectId: string
    readonly limit: number
    readonly name?: string
    readonly status?: string
  },
  last: { readonly createdAt: string; readonly id: string } | undefined,
): Promise<Selectable<Schema[T]>[]> {
  let query = database
    .selectFrom(table as 'volumes')
    .selectAll()
    .where('projectId', '=', filter.projectId)
    .orderBy('createdAt', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.status !== undefined) query = query.where('status', '=', filter.status)
  if (last !== undefined)
    query = query.where((eb) => eb(eb.refTuple('createdAt', 'id'), '<', eb.tuple(last.createdAt, last.id)))
  return (await query.execute()) as unknown as Selectable<Schema[T]>[]
}
