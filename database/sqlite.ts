import { DatabaseSync } from 'node:sqlite'
import { SqliteDialect } from 'kysely'
import { LIMITS } from '../domain/limits.ts'

/**
 * A SQLite file. Every commit is on disk before it is answered (synchronous=FULL), and writers queue at BEGIN, so a transaction
 * never fails half way for want of the lock.
 */
export function sqliteDialect(file: string): SqliteDialect {
  const sqlite = new DatabaseSync(file, { timeout: LIMITS.databaseWaitMs })
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on')
  return new SqliteDialect({ database: new NodeSqlite(sqlite) })
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
