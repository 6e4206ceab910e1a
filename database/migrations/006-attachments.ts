import type { Kysely } from 'kysely'

/** Which guest has a volume open. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('attachments')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('volume_id', 'text', (c) => c.notNull())
    .addColumn('guest', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
  await database.schema.createIndex('attachments_volume').on('attachments').column('volume_id').execute()
}
