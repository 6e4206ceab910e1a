import type { Kysely } from 'kysely'

/** The log of events. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('events')
    .addColumn('id', 'bigint', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('operation_id', 'text', (c) => c.notNull())
    .addColumn('resource_id', 'text', (c) => c.notNull())
    .addColumn('type', 'text', (c) => c.notNull())
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
  for (const column of ['project_id', 'operation_id', 'resource_id'] as const) {
    await database.schema.createIndex(`events_${column}`).on('events').columns([column, 'id']).execute()
  }
  await database.schema
    .createTable('event_log')
    .addColumn('id', 'integer', (c) => c.primaryKey())
    .addColumn('last_id', 'bigint', (c) => c.notNull())
    .addColumn('pruned_id', 'bigint', (c) => c.notNull())
    .execute()
  const log = database as unknown as Kysely<{
    event_log: { id: number; last_id: number; pruned_id: number }
  }>
  await log.insertInto('event_log').values({ id: 1, last_id: 0, pruned_id: 0 }).execute()
}
