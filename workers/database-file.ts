import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.ts'
import { type Database, openDatabase } from '../database/open.ts'

export async function openConfiguredDatabase(config: Config): Promise<Database> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
  return openDatabase(join(config.dataFolder, 'volflow.db'))
}
