import type { Kysely } from 'kysely'

/** Portable between SQLite and PostgreSQL: text, integer and bigint only. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .alterTable('backups')
    .addColumn('format', 'text', (c) => c.notNull().defaultTo('volflow'))
    .execute()
  await database.schema.alterTable('backups').addColumn('container', 'text').execute()
  await database.schema.alterTable('backups').addColumn('service_metadata', 'text').execute()
}
