import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { type BackendConfig, type Config, type ConfigFile, configSchema } from './config.ts'
import { withEnvironment } from './environment.ts'

/**
 * Reads the file that VOLFLOW_CONFIG names, else `volflow.yaml` of the data folder; without that, the embedded defaults. What the
 * environment says comes first. Throws with the field and what it expects.
 */
export async function loadConfig(dataFolder: string, environment = process.env): Promise<Config> {
  const folder = resolve(dataFolder)
  const file = environment.VOLFLOW_CONFIG ?? join(folder, 'volflow.yaml')
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && environment.VOLFLOW_CONFIG === undefined) return ''
    throw new Error(`Expected ${file} to be readable, got ${error.code}`, { cause: error })
  })
  const parsed = configSchema.safeParse(withEnvironment(parse(text) ?? {}, environment))
  if (!parsed.success)
    throw new Error(
      `${file}, with the VOLFLOW_ variables, is not a valid configuration:\n${z.prettifyError(parsed.error)}`,
    )
  const twice = Object.keys(parsed.data.cinderTargets).find((name) => name in parsed.data.targets)
  if (twice !== undefined)
    throw new Error(`${file}: Expected ${twice} in targets or cinderTargets, it is in both`)
  return withAbsolutePaths(folder, parsed.data)
}

function withAbsolutePaths(dataFolder: string, config: ConfigFile): Config {
  const absolute = (path: string) => resolve(dataFolder, path)
  const { tls, apiKeyFile } = config.temporal
  const { database, identity } = config
  return {
    ...config,
    dataFolder,
    temporal: {
      ...config.temporal,
      ...(tls && { tls: withAbsoluteFiles(tls, absolute) }),
      ...(apiKeyFile !== undefined && { apiKeyFile: absolute(apiKeyFile) }),
    },
    identity: {
      ...identity,
      ...(identity.adminPasswordFile !== undefined && {
        adminPasswordFile: absolute(identity.adminPasswordFile),
      }),
      ...(identity.keystone && {
        keystone: { ...identity.keystone, passwordFile: absolute(identity.keystone.passwordFile) },
      }),
    },
    ...(database && {
      database: {
        ...database,
        ...(database.passwordFile !== undefined && { passwordFile: absolute(database.passwordFile) }),
      },
    }),
    backends: backendsWith(absolute, dataFolder, config.backends),
    stores: places(config.stores, absolute),
    targets: targetsWith(absolute, config.targets),
    cinderTargets: targetsWith(absolute, config.cinderTargets),
    backupKeyFile: absolute(config.backupKeyFile),
    ...(config.backupPassphraseFile !== undefined && {
      backupPassphraseFile: absolute(config.backupPassphraseFile),
    }),
    webhooks: { ...config.webhooks, keyFile: absolute(config.webhooks.keyFile) },
  }
}

function targetsWith<
  T extends { driver: 'directory'; path: string } | { driver: 's3'; credentialsFile: string },
>(absolute: (path: string) => string, targets: Record<string, T>): Record<string, T> {
  const entries = Object.entries(targets).map(([name, target]) => [
    name,
    target.driver === 'directory'
      ? { ...target, path: absolute(target.path) }
      : { ...target, credentialsFile: absolute(target.credentialsFile) },
  ])
  return Object.fromEntries(entries) as Record<string, T>
}

function backendsWith(
  absolute: (path: string) => string,
  dataFolder: string,
  backends: Record<string, BackendConfig>,
): Config['backends'] {
  const entries = Object.entries(backends).map(([name, place]) => [
    name,
    place.driver === 'file'
      ? { ...place, ...absoluteFiles(place, ['path', 'guestSockets'], absolute) }
      : {
          ...place,
          ...absoluteFiles(place, ['confFile', 'keyringFile'], absolute),
          ownConfFile: join(dataFolder, 'rbd', `${name}.conf`),
        },
  ])
  return Object.fromEntries(entries) as Config['backends']
}

function absoluteFiles<K extends string>(
  place: Partial<Record<K, string | undefined>>,
  keys: readonly K[],
  absolute: (path: string) => string,
): Partial<Record<K, string>> {
  const entries = keys.flatMap((key) => {
    const path = place[key]
    return path === undefined ? [] : [[key, absolute(path)]]
  })
  return Object.fromEntries(entries) as Partial<Record<K, string>>
}

function places<T extends { path: string }>(
  record: Record<string, T>,
  absolute: (path: string) => string,
): Record<string, T> {
  const entries = Object.entries(record).map(([name, place]) => [
    name,
    { ...place, path: absolute(place.path) },
  ])
  return Object.fromEntries(entries) as Record<string, T>
}

type Tls = NonNullable<ConfigFile['temporal']['tls']>

function withAbsoluteFiles(tls: Tls, absolute: (path: string) => string): Tls {
  return { ...tls, ...absoluteFiles(tls, ['caFile', 'certFile', 'keyFile'], absolute) }
}
