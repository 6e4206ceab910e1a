import { type Kysely, sql } from 'kysely'

const COLUMNS = [
  'id, project_id, user_id, name, description, status, metadata, created_at, updated_at, store',
  'disk_format, container_format, visibility, protected, os_hidden, min_disk, min_ram',
  'size_bytes, virtual_size_bytes, checksum, os_hash_algo, os_hash_value',
].join(', ')

/** Portable between SQLite and PostgreSQL: text, integer and bigint only. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await allowUnknownFormats(database)
  await database.schema.createIndex('images_created').on('images').columns(['created_at', 'id']).execute()
  await database.schema
    .createTable('image_tags')
    .addColumn('image_id', 'text', (c) => c.notNull())
    .addColumn('tag', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('image_tags_key', ['image_id', 'tag'])
    .execute()
  await database.schema
    .createTable('image_members')
    .addColumn('image_id', 'text', (c) => c.notNull())
    .addColumn('member_id', 'text', (c) => c.notNull())
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('image_members_key', ['image_id', 'member_id'])
    .execute()
  await database.schema.createIndex('image_members_member').on('image_members').column('member_id').execute()
  await database.schema
    .createTable('image_copies')
    .addColumn('image_id', 'text', (c) => c.notNull())
    .addColumn('store', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('image_copies_key', ['image_id', 'store'])
    .execute()
  await database.schema.alterTable('uploads').addColumn('size_bytes', 'bigint').execute()
  await database.schema.alterTable('uploads').addColumn('md5', 'text').execute()
  await database.schema.alterTable('uploads').addColumn('sha512', 'text').execute()
}

/** SQLite cannot drop NOT NULL from a column, so the table is made anew. */
async function allowUnknownFormats(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('images_with_formats')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text')
    .addColumn('description', 'text')
    .addColumn('status', 'text', (c) => c.notNull())
    .addColumn('metadata', 'text', (c) => c.notNull())
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addColumn('updated_at', 'text')
    .addColumn('store', 'text', (c) => c.notNull())
    .addColumn('disk_format', 'text')
    .addColumn('container_format', 'text')
    .addColumn('visibility', 'text', (c) => c.notNull())
    .addColumn('protected', 'integer', (c) => c.notNull())
    .addColumn('os_hidden', 'integer', (c) => c.notNull())
    .addColumn('min_disk', 'integer', (c) => c.notNull())
    .addColumn('min_ram', 'integer', (c) => c.notNull())
    .addColumn('size_bytes', 'bigint')
    .addColumn('virtual_size_bytes', 'bigint')
    .addColumn('checksum', 'text')
    .addColumn('os_hash_algo', 'text')
    .addColumn('os_hash_value', 'text')
    .execute()
  await sql`insert into images_with_formats (${sql.raw(COLUMNS)}) select ${sql.raw(COLUMNS)} from images`.execute(
    database,
  )
  await database.schema.dropTable('images').execute()
  await database.schema.alterTable('images_with_formats').renameTo('images').execute()
}
