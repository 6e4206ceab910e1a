import { openDatabase } from '../../database/open.ts'
import { makeDatabase, type PostgresDatabase, type PostgresServer, startPostgres } from './postgres-server.ts'

export interface PostgresTemplate extends PostgresDatabase {
  /** Of a database with our tables and no rows. */
  readonly template: string
}

export async function startPostgresWithTemplate(): Promise<PostgresServer & PostgresTemplate> {
  const server = await startPostgres()
  const place = await makeDatabase(server.admin)
  await (await openDatabase(place)).destroy()
  return { ...server, ...server.admin, template: new URL(place.url).pathname.slice(1) }
}
