import { mkdir } from 'node:fs/promises'
import type { TargetSpec } from '../backup-format/target.ts'
import type { Config, TargetConfig } from '../config/config.ts'
import { loadCredentials } from '../config/secrets.ts'
import type { PlaceNames } from '../database/requests/places.ts'
import type { ImageStore } from '../drivers/images/driver.ts'
import { openImageStore } from '../drivers/images/registry.ts'
import type { VolumeDriver } from '../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../drivers/volumes/registry.ts'

export function placeNames(config: Config): PlaceNames {
  return {
    backends: Object.keys(config.backends),
    stores: Object.keys(config.stores),
    targets: Object.keys(config.targets),
    keepingBackends: Object.entries(config.backends)
      .filter(([, { keepBackupSnapshots = true }]) => keepBackupSnapshots)
      .map(([name]) => name),
  }
}

export function openBackends(config: Config): Promise<Map<string, VolumeDriver>> {
  return openAll(config.backends, openVolumeDriver)
}

export function openStores(config: Config): Promise<Map<string, ImageStore>> {
  return openAll(config.stores, openImageStore)
}

export function openTargets(config: Config): Promise<Map<string, TargetSpec>> {
  return openAll(config.targets, openTargetSpec)
}

export async function openTargetSpec(target: TargetConfig): Promise<TargetSpec> {
  if (target.driver === 'directory') {
    await mkdir(target.path, { recursive: true, mode: 0o700 })
    return target
  }
  const { credentialsFile, ...rest } = target
  return { ...rest, ...(await loadCredentials(credentialsFile)) }
}

async function openAll<C, P>(
  configs: Record<string, C>,
  open: (config: C) => Promise<P>,
): Promise<Map<string, P>> {
  const entries = Object.entries(configs).map(async ([name, config]) => [name, await open(config)] as const)
  return new Map(await Promise.all(entries))
}
