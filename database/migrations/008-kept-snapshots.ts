import type { Kysely } from 'kysely'

/** Snapshots that backups leave behind for the next ones, and volumes whose layers are to be merged. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('kept_snapshots')
    .addColumn('backup_id', 'text', (c) => c.primaryKey())
    .addColumn('volume_id', 'text', (c) => c.notNull())
    .addColumn('target', 'text', (c) => c.notNull())
    .addColumn('backend', 'text', (c) => c.notNull())
    .addColumn('snapshot_id', 'text', (c) => c.notNull())
    .execute()
  await database.schema
    .createIndex('kept_snapshots_volume')
    .on('kept_snapshots')
    .column('volume_id')
    .execute()
  await database.schema
    .createTable('mergeable_volumes')
    .addColumn('volume_id', 'text', (c) => c.primaryKey())
    .addColumn('due_at_ms', 'bigint', (c) => c.notNull())
    .execute()
}
