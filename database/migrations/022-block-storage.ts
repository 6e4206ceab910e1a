import { randomUUID } from 'node:crypto'
import type { Kysely } from 'kysely'

const DEFAULT_TYPE = '__DEFAULT__'

/** What Cinder keeps of volumes besides the volumes: types, transfers, connections, messages, services. */
export async function up(database: Kysely<unknown>): Promise<void> {
  for (const column of ['volume_type_id', 'migration_status', 'claim'])
    await database.schema.alterTable('volumes').addColumn(column, 'text').execute()
  await database.schema
    .alterTable('volumes')
    .addColumn('read_only', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
  for (const table of ['volumes', 'snapshots', 'backups']) {
    const columns = ['project_id', 'created_at', 'id']
    await database.schema.createIndex(`${table}_project`).on(table).columns(columns).execute()
  }
  await createTypes(database)
  await createTransfers(database)
  await createConnections(database)
  await createMessages(database)
}

async function createTypes(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('volume_types')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text')
    .addColumn('is_public', 'integer', (c) => c.notNull())
    .addColumn('extra_specs', 'text', (c) => c.notNull())
    .addColumn('encryption', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text')
    .execute()
  await database.schema.createIndex('volume_types_name').unique().on('volume_types').column('name').execute()
  await database.schema
    .createTable('volume_type_access')
    .addColumn('volume_type_id', 'text', (c) => c.notNull())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('volume_type_access_key', ['volume_type_id', 'project_id'])
    .execute()
  await database.schema
    .createTable('default_volume_types')
    .addColumn('project_id', 'text', (c) => c.primaryKey())
    .addColumn('volume_type_id', 'text', (c) => c.notNull())
    .execute()
  const row = {
    id: randomUUID(),
    name: DEFAULT_TYPE,
    description: 'Default Volume Type',
    is_public: 1,
    extra_specs: '{}',
    created_at: new Date().toISOString(),
  }
  await (database as Kysely<Record<string, Record<string, unknown>>>)
    .insertInto('volume_types')
    .values(row)
    .execute()
}

async function createTransfers(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('volume_transfers')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('volume_id', 'text', (c) => c.notNull())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('destination_project_id', 'text')
    .addColumn('name', 'text')
    .addColumn('no_snapshots', 'integer', (c) => c.notNull())
    .addColumn('salt', 'text', (c) => c.notNull())
    .addColumn('key_hash', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .execute()
}

async function createConnections(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('volume_connections')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('volume_id', 'text', (c) => c.notNull())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('instance_id', 'text')
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('mode', 'text', (c) => c.notNull())
    .addColumn('host_name', 'text')
    .addColumn('mountpoint', 'text')
    .addColumn('connector', 'text')
    .addColumn('connection_info', 'text')
    .addColumn('attached_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text')
    .execute()
  await database.schema
    .createIndex('volume_connections_volume')
    .on('volume_connections')
    .column('volume_id')
    .execute()
}

async function createMessages(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('messages')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('request_id', 'text')
    .addColumn('resource_type', 'text', (c) => c.notNull())
    .addColumn('resource_id', 'text')
    .addColumn('event_id', 'text', (c) => c.notNull())
    .addColumn('level', 'text', (c) => c.notNull())
    .addColumn('text', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .execute()
  await database.schema
    .createIndex('messages_project')
    .on('messages')
    .columns(['project_id', 'created_at'])
    .execute()
  await database.schema
    .createTable('backend_states')
    .addColumn('backend', 'text', (c) => c.primaryKey())
    .addColumn('total_bytes', 'bigint')
    .addColumn('free_bytes', 'bigint')
    .addColumn('measured_at', 'text')
    .addColumn('disabled', 'integer', (c) => c.notNull().defaultTo(0))
    .addColumn('disabled_reason', 'text')
    .addColumn('frozen', 'integer', (c) => c.notNull().defaultTo(0))
    .execute()
}
