import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { readSecret } from '../config/secrets.ts'
import { type Database, type DatabasePlace, openDatabase } from '../database/open.ts'

export async function openConfiguredDatabase(config: Config): Promise<Database> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
  return openDatabase(await databasePlace(config))
}

async function databasePlace({ dataFolder, database }: Config): Promise<DatabasePlace> {
  if (database === undefined) return join(dataFolder, 'volflow.db')
  const { url, passwordFile } = database
  return { url, ...(passwordFile !== undefined && { password: await readSecret(passwordFile) }) }
}
