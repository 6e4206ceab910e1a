import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { readSecret } from '../config/secrets.ts'
import { type Database, type DatabasePlace, openDatabase } from '../database/open.ts'
import { waitFor, type Waiting } from './wait-for.ts'

/** Waits for a server, if told how long; a file is there or it is not. */
export async function openConfiguredDatabase(config: Config, waiting?: Waiting): Promise<Database> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
  const place = await databasePlace(config)
  if (typeof place === 'string' || waiting === undefined) return openDatabase(place)
  return waitFor('the database', () => openDatabase(place), waiting)
}

async function databasePlace({ dataFolder, database }: Config): Promise<DatabasePlace> {
  if (database === undefined) return join(dataFolder, 'volflow.db')
  const { url, passwordFile } = database
  return { url, ...(passwordFile !== undefined && { password: await readSecret(passwordFile) }) }
}
