import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import {
  type BackendConfig,
  type Config,
  type ConfigFile,
  configSchema,
  type Openable,
  type RbdTargetConfig,
  type StoreConfig,
  type TargetConfig,
} from './config.ts'
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
  const { objects, pools } = splitTargets(config.targets)
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
    backends: openable('backend', config.backends, { absolute, dataFolder }),
    stores: openable('store', config.stores, { absolute, dataFolder }),
    targets: targetsWith(absolute, objects),
    rbdTargets: openable('target', pools, { absolute, dataFolder }),
    cinderTargets: targetsWith(absolute, config.cinderTargets),
    backupKeyFile: absolute(config.backupKeyFile),
    ...(config.backupPassphraseFile !== undefined && {
      backupPassphraseFile: absolute(config.backupPassphraseFile),
    }),
    webhooks: { ...config.webhooks, keyFile: absolute(config.webhooks.keyFile) },
  }
}

function splitTargets(targets: ConfigFile['targets']) {
  const objects: Record<string, TargetConfig> = {}
  const pools: Record<string, RbdTargetConfig> = {}
  for (const [name, target] of Object.entries(targets)) {
    if (target.driver === 'rbd') pools[name] = target
    else objects[name] = target
  }
  return { objects, pools }
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

/** `what`: backends, stores and targets may have the same names. */
function openable<T extends BackendConfig | StoreConfig | RbdTargetConfig>(
  what: 'backend' | 'store' | 'target',
  places: Record<string, T>,
  { absolute, dataFolder }: { absolute: (path: string) => string; dataFolder: string },
): Record<string, Openable<T>> {
  const entries = Object.entries(places).map(([name, place]) => [
    name,
    place.driver === 'file'
      ? { ...place, ...absoluteFiles<'path' | 'guestSockets'>(place, ['path', 'guestSockets'], absolute) }
      : {
          ...place,
          ...absoluteFiles<'confFile' | 'keyringFile' | 'guestSockets'>(
            place,
            ['confFile', 'keyringFile', 'guestSockets'],
            absolute,
          ),
          ownConfFile: join(dataFolder, 'rbd', what === 'backend' ? `${name}.conf` : `${what}-${name}.conf`),
        },
  ])
  return Object.fromEntries(entries) as Record<string, Openable<T>>
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

type Tls = NonNullable<ConfigFile['temporal']['tls']>

function withAbsoluteFiles(tls: Tls, absolute: (path: string) => string): Tls {
  return { ...tls, ...absoluteFiles(tls, ['caFile', 'certFile', 'keyFile'], absolute) }
}
