import type { Kysely } from 'kysely'

/** Our own Keystone, and quotas. An installation that has resources already keeps what it has: no quota until somebody sets one. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await domainsAndProjects(database)
  await users(database)
  await assignments(database)
  await tokens(database)
  await quotas(database)
}

async function domainsAndProjects({ schema }: Kysely<unknown>): Promise<void> {
  for (const table of ['identity_domains', 'identity_projects', 'identity_roles'])
    await schema
      .createTable(table)
      .addColumn('id', 'text', (c) => c.primaryKey())
      .addColumn('domain_id', 'text', (c) => c.notNull())
      .addColumn('name', 'text', (c) => c.notNull())
      .addColumn('description', 'text', (c) => c.notNull().defaultTo(''))
      .addColumn('enabled', 'integer', (c) => c.notNull().defaultTo(1))
      .addColumn('created_at', 'text', (c) => c.notNull())
      .addUniqueConstraint(`${table}_name`, ['domain_id', 'name'])
      .execute()
}

async function users({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('identity_users')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('domain_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('email', 'text')
    .addColumn('default_project_id', 'text')
    .addColumn('password_hash', 'text')
    .addColumn('enabled', 'integer', (c) => c.notNull().defaultTo(1))
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_users_name', ['domain_id', 'name'])
    .execute()
  await schema
    .createTable('identity_application_credentials')
    .addColumn('id', 'text', (c) => c.primaryKey())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('project_id', 'text', (c) => c.notNull())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('description', 'text', (c) => c.notNull().defaultTo(''))
    .addColumn('secret_hash', 'text', (c) => c.notNull())
    .addColumn('role_ids', 'text', (c) => c.notNull())
    .addColumn('unrestricted', 'integer', (c) => c.notNull())
    .addColumn('expires_at', 'text')
    .addColumn('created_at', 'text', (c) => c.notNull())
    .addUniqueConstraint('identity_credentials_name', ['user_id', 'name'])
    .execute()
  await schema
    .createTable('identity_guesses')
    .addColumn('subject', 'text', (c) => c.primaryKey())
    .addColumn('failures', 'integer', (c) => c.notNull())
    .addColumn('locked_until_ms', 'bigint', (c) => c.notNull())
    .execute()
}

async function assignments({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('identity_assignments')
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('scope_type', 'text', (c) => c.notNull())
    .addColumn('scope_id', 'text', (c) => c.notNull())
    .addColumn('role_id', 'text', (c) => c.notNull())
    .addPrimaryKeyConstraint('identity_assignments_key', ['user_id', 'scope_type', 'scope_id', 'role_id'])
    .execute()
}

async function tokens({ schema }: Kysely<unknown>): Promise<void> {
  await schema
    .createTable('identity_tokens')
    .addColumn('hash', 'text', (c) => c.primaryKey())
    .addColumn('user_id', 'text', (c) => c.notNull())
    .addColumn('scope_type', 'text')
    .addColumn('scope_id', 'text')
    .addColumn('application_credential_id', 'text')
    .addColumn('methods', 'text', (c) => c.notNull())
    .addColumn('audit_ids', 'text', (c) => c.notNull())
    .addColumn('issued_at', 'text', (c) => c.notNull())
    .addColumn('expires_at', 'text', (c) => c.notNull())
    .execute()
  await schema
    .createIndex('identity_tokens_user')
    .on('identity_tokens')
    .columns(['user_id', 'issued_at'])
    .execute()
  await schema.createIndex('identity_tokens_expiry').on('identity_tokens').column('expires_at').execute()
}

async function quotas(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('quotas')
    .addColumn('scope', 'text', (c) => c.notNull())
    .addColumn('scope_id', 'text', (c) => c.notNull())
    .addColumn('resource', 'text', (c) => c.notNull())
    .addColumn('hard_limit', 'bigint', (c) => c.notNull())
    .addPrimaryKeyConstraint('quotas_key', ['scope', 'scope_id', 'resource'])
    .execute()
  const tables = database as Kysely<{ quotas: object; volumes: { id: string }; backups: { id: string } }>
  const used = [
    await tables.selectFrom('volumes').select('id').limit(1).execute(),
    await tables.selectFrom('backups').select('id').limit(1).execute(),
  ].flat()
  if (used.length === 0) return
  const values = ['volumes', 'gigabytes', 'snapshots', 'backups', 'backup_gigabytes'].map((resource) => ({
    scope: 'class',
    scope_id: 'default',
    resource,
    hard_limit: -1,
  }))
  await (database as Kysely<{ quotas: (typeof values)[number] }>)
    .insertInto('quotas')
    .values(values)
    .execute()
}
