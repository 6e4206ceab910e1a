import { join } from 'node:path'
import { inject } from 'vitest'
import { makeDatabase, type PostgresDatabase } from './postgres-server.ts'
import type { PostgresTemplate } from './postgres-template.ts'
import { ON_POSTGRES } from './postgres-wanted.ts'
import { tempDir } from './temp-dir.ts'

export interface TemporaryDatabase {
  /** For openDatabase. */
  readonly place: string | PostgresDatabase
  readonly remove: () => Promise<void>
}

/** Room for a new database, of the kind that this test runs on. */
export async function temporaryDatabasePlace(): Promise<TemporaryDatabase> {
  if (!ON_POSTGRES) return { place: join(await tempDir(), 'volflow.db'), remove: () => Promise.resolve() }
  const { drop, ...place } = await postgresDatabase()
  return { place, remove: drop }
}

/** A new database on the one PostgreSQL server of this test run. It has our tables already: making them takes longer than most tests. */
export async function postgresDatabase(): Promise<PostgresDatabase & { drop: () => Promise<void> }> {
  const response = await fetch(inject('postgresBrokerUrl'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  const { template, ...admin } = JSON.parse(text) as PostgresTemplate
  return makeDatabase(admin, template)
}
