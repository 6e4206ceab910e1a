import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { type Config, type ConfigFile, configSchema } from './config.ts'

/** Reads `volflow.yaml` of the data folder; without one, the embedded defaults. Throws with the field and what it expects. */
export async function loadConfig(dataFolder: string): Promise<Config> {
  const folder = resolve(dataFolder)
  const file = join(folder, 'volflow.yaml')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const parsed = configSchema.safeParse(parse(text) ?? {})
  if (!parsed.success)
    throw new Error(`${file} is not a valid configuration:\n${z.prettifyError(parsed.error)}`)
  return withAbsolutePaths(folder, parsed.data)
}

function withAbsolutePaths(dataFolder: string, config: ConfigFile): Config {
  const absolute = (path: string) => resolve(dataFolder, path)
  const places = <T extends { path: string }>(record: Record<string, T>) =>
    Object.fromEntries(
      Object.entries(record).map(([key, place]) => [key, { ...place, path: absolute(place.path) }]),
    )
  const targets = Object.entries(config.targets).map(([key, target]) => [
    key,
    target.driver === 'directory'
      ? { ...target, path: absolute(target.path) }
      : { ...target, credentialsFile: absolute(target.credentialsFile) },
  ])
  return {
    ...config,
    dataFolder,
    backends: places(config.backends),
    stores: places(config.stores),
    targets: Object.fromEntries(targets) as Config['targets'],
    backupKeyFile: absolute(config.backupKeyFile),
  }
}
