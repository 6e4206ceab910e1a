import { sql, SqliteAdapter } from 'kysely'
import { MIGRATIONS } from './migrations/index.ts'
import type { Database } from './open.ts'

/** What the database says about itself. Throws with what is wrong. */
export interface DatabaseInspection {
  /** SQLite looks through its file; PostgreSQL does that with its own checksums, and is only asked to answer. */
  integrity(): Promise<string>
  /** A commit is on disk before it is answered. */
  durability(): Promise<string>
  /** Writes something that changes nothing, and waits until it is on disk. */
  commit(): Promise<void>
  migrations(): Promise<string>
}

export function inspectDatabase(database: Database): DatabaseInspection {
  const ask = async (query: string) => {
    const { rows } = await sql.raw<Record<string, unknown>>(query).execute(database)
    return String(Object.values(rows[0] ?? {})[0])
  }
  const migrations = () => compareMigrations(database)
  return { ...(isSqlite(database) ? sqlite(ask) : postgres(ask)), migrations }
}

type Ask = (query: string) => Promise<string>

function sqlite(ask: Ask): Omit<DatabaseInspection, 'migrations'> {
  return {
    integrity: async () => {
      const found = await ask('pragma quick_check(1)')
      return expectValue(found === 'ok', 'an undamaged database', found)
    },
    durability: async () => {
      const [journal, synchronous] = [await ask('pragma journal_mode'), await ask('pragma synchronous')]
      const value = `journal ${journal}, synchronous ${synchronous}`
      return expectValue(journal === 'wal' && synchronous === '2', 'journal wal, synchronous 2', value)
    },
    commit: async () => {
      await ask(`pragma user_version = ${Number(await ask('pragma user_version'))}`)
    },
  }
}

function postgres(ask: Ask): Omit<DatabaseInspection, 'migrations'> {
  return {
    integrity: async () => `answers, version ${await ask('show server_version')}`,
    durability: async () => {
      const [fsync, commit] = [await ask('show fsync'), await ask('show synchronous_commit')]
      const value = `fsync ${fsync}, synchronous_commit ${commit}`
      return expectValue(fsync === 'on' && commit !== 'off', 'fsync on, synchronous_commit on', value)
    },
    commit: async () => {
      await ask(`select pg_logical_emit_message(true, 'volflow', '')`)
    },
  }
}

async function compareMigrations(database: Database): Promise<string> {
  const { rows } = await sql<{ name: string }>`select name from kysely_migration`.execute(database)
  const applied = new Set(rows.map(({ name }) => name))
  const known = new Set(Object.keys(MIGRATIONS))
  const different = applied.symmetricDifference(known)
  return expectValue(different.size === 0, 'exactly our migrations', [...different].join(', '), 'up to date')
}

function isSqlite(database: Database): boolean {
  return database.getExecutor().adapter instanceof SqliteAdapter
}

function expectValue(holds: boolean, expected: string, got: string, value = got): string {
  if (holds) return value
  throw new Error(`Expected ${expected}, got: ${got}`)
}
