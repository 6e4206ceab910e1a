import type { Kysely } from 'kysely'

/** How a backup was looked at last, how those of a schedule shall be, and of which other backup one is a copy. */
export async function up(database: Kysely<unknown>): Promise<void> {
  for (const column of ['verified_at', 'verify_level', 'source_backup_id'])
    await database.schema.alterTable('backups').addColumn(column, 'text').execute()
  await database.schema.alterTable('backups').addColumn('damaged_objects', 'integer').execute()
  await database.schema.alterTable('schedules').addColumn('verification', 'text').execute()
}
