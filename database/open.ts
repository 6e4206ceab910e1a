import { CamelCasePlugin, Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import { DatabaseUnavailableError } from '../domain/errors.ts'
import { MIGRATIONS } from './migrations/index.ts'
import { postgresDialect, type PostgresPlace } from './postgres.ts'
import type { Schema } from './schema.ts'
import { sqliteDialect } from './sqlite.ts'

/** Changes happen one after the other, each transaction and each statement outside of one, on both kinds of database. */
export type Database = Kysely<Schema>

/** Path of a SQLite file, or a PostgreSQL database. */
export type DatabasePlace = string | PostgresPlace

const MIGRATION_ATTEMPTS = 3

/** Opens the database and brings its schema up to date. Throws an error that says which database did not answer, and why. */
export async function openDatabase(place: DatabasePlace): Promise<Database> {
  const dialect = typeof place === 'string' ? sqliteDialect(place) : postgresDialect(place)
  const database = new Kysely<Schema>({ dialect, plugins: [new CamelCasePlugin()] })
  try {
    await migrate(database)
    return database
  } catch (error) {
    await database.destroy()
    if (typeof place === 'string' || !(error instanceof DatabaseUnavailableError)) throw error
    const { host, pathname } = new URL(place.url)
    throw new Error(`The database ${host}${pathname} could not be opened: ${error.reason}`, { cause: error })
  }
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
    if (error instanceof DatabaseUnavailableError) throw error
    failure = error
  }
  throw new Error('The database could not be migrated', { cause: failure })
}
