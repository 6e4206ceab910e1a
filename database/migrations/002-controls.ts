import type { Kysely } from 'kysely'

/** What users and operators control while operations run: pause, rates, giving up; and why an operation waits. */
export async function up(database: Kysely<unknown>): Promise<void> {
  const text = ['backend', 'paused_at', 'waiting_for', 'after_operation_id', 'abandoned_at']
  for (const column of text)
    await database.schema.alterTable('operations').addColumn(column, 'text').execute()
  await database.schema.alterTable('operations').addColumn('rate_limit_bytes', 'bigint').execute()
  await database.schema
    .createTable('controls')
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('paused_at', 'text')
    .addColumn('rate_limit_bytes', 'bigint')
    .addPrimaryKeyConstraint('controls_key', ['scope', 'name'])
    .execute()
}
