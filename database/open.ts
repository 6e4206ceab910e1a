import { DatabaseSync } from 'node:sqlite'
import { CamelCasePlugin, Kysely, SqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { MIGRATIONS } from './migrations/index.ts'
import type { Schema } from './schema.ts'

export type Database = Kysely<Schema>

/** Other processes hold the write lock for milliseconds; longer than this means that something is broken. */
const BUSY_TIMEOUT_MS = 10_000
const MIGRATION_ATTEMPTS = 3

/**
 * Opens the SQLite database and brings its schema up to date. Every commit is on disk before it is answered
 * (synchronous=FULL), and writers queue at BEGIN, so a transaction never fails half way for want of the lock.
 */
export async function openDatabase(file: string): Promise<Database> {
  const sqlite = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
  const database = new Kysely<Schema>({
    dialect: new SqliteDialect({ database: new NodeSqlite(sqlite) }),
    plugins: [new CamelCasePlugin()],
  })
  await migrate(database)
  return database
}

async function migrate(database: Database): Promise<void> {
  const migrator = new Migrator({
    db: database,
    provider: { getMigrations: () => Promise.resolve(MIGRATIONS) },
  })
  let failure: unknown
  // Several processes may open a new database at once: each migration is one transaction, so who comes second fails on what the
  // first has just made, and finds it done when it looks again.
  for (let attempt = 0; attempt < MIGRATION_ATTEMPTS; attempt += 1) {
    const { error } = await migrator.migrateToLatest()
    if (error === undefined) return
    failure = error
  }
  throw new Error('The database could not be migrated', { cause: failure })
}

/** What Kysely's SQLite dialect needs of a driver, over node:sqlite. */
class NodeSqlite {
  readonly #sqlite: DatabaseSync

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  close(): void {
    this.#sqlite.close()
  }

  prepare(sql: string) {
    const statement = this.#sqlite.prepare(sql === 'begin' ? 'begin immediate' : sql)
    return {
      reader: statement.columns().length > 0,
      all: (parameters: readonly unknown[]) => statement.all(...(parameters as string[])),
      run: (parameters: readonly unknown[]) => statement.run(...(parameters as string[])),
      iterate: (parameters: readonly unknown[]) => statement.iterate(...(parameters as string[])),
    }
  }
}
