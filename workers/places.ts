import { mkdir } from 'node:fs/promises'
import type { TargetSpec } from '../backup-format/target.ts'
import type { CinderTarget } from '../activities/dependencies.ts'
import type { CinderTargetConfig, Config, TargetConfig } from '../config/config.ts'
import { loadCredentials } from '../config/secrets.ts'
import { backendCapabilities } from '../domain/backend-capabilities.ts'
import type { PlaceNames } from '../database/requests/places.ts'
import type { BackupPool } from '../drivers/backups/pool.ts'
import { openRbdBackupPool } from '../drivers/backups/rbd/rbd-backup-pool.ts'
import type { ImageStore } from '../drivers/images/driver.ts'
import { openImageStore } from '../drivers/images/registry.ts'
import type { VolumeDriver } from '../drivers/volumes/driver.ts'
import { openVolumeDriver } from '../drivers/volumes/registry.ts'

/** As in Cinder (max_over_subscription_ratio). */
const OVERCOMMIT_RATIO = 20

export function placeNames(config: Config): PlaceNames {
  return {
    backends: Object.keys(config.backends),
    stores: Object.keys(config.stores),
    targets: Object.keys(config.targets),
    keepingBackends: Object.entries(config.backends)
      .filter(([, { keepBackupSnapshots = true }]) => keepBackupSnapshots)
      .map(([name]) => name),
    guestBackends: Object.entries(config.backends)
      .filter(([, backend]) => backend.driver !== 'file' || backend.guestSockets !== undefined)
      .map(([name]) => name),
    overcommitRatios: Object.fromEntries(
      Object.entries(config.backends).map(([name, { overcommitRatio = OVERCOMMIT_RATIO }]) => [
        name,
        overcommitRatio,
      ]),
    ),
    capabilities: Object.fromEntries(
      Object.entries(config.backends).map(([name, { driver }]) => [name, backendCapabilities(driver)]),
    ),
    cinderTargets: Object.fromEntries(Object.entries(config.cinderTargets).map(cinderPlace)),
    rbdTargets: Object.keys(config.rbdTargets),
    rbdBackends: Object.entries(config.backends)
      .filter(([, { driver }]) => driver === 'rbd')
      .map(([name]) => name),
  }
}

function cinderPlace([name, target]: [string, CinderTargetConfig]) {
  return [name, { driver: target.driver, container: target.driver === 's3' ? target.bucket : '' }] as const
}

/** `socketDirectory`: for sockets of servers that the drivers start. */
export function openBackends(config: Config, socketDirectory: string): Promise<Map<string, VolumeDriver>> {
  return openAll(config.backends, (backend) => openVolumeDriver(backend, socketDirectory))
}

/** `folder`: for sockets of servers that the drivers start, and files that they need for a while; the system's own unless told. */
export function openStores(config: Config, folder?: string): Promise<Map<string, ImageStore>> {
  return openAll(config.stores, (store) => openImageStore(store, folder))
}

export function openTargets(config: Config): Promise<Map<string, TargetSpec>> {
  return openAll(config.targets, openTargetSpec)
}

export async function openTargetSpec(target: TargetConfig): Promise<TargetSpec> {
  if (target.driver === 'directory') {
    await mkdir(target.path, { recursive: true, mode: 0o700 })
    return target
  }
  return withCredentials(target)
}

/** Their folders are Cinder's: they are not made here. */
export function openCinderTargets(config: Config): Promise<Map<string, CinderTarget>> {
  return openAll(config.cinderTargets, async ({ compression, ...target }) => ({
    compression,
    spec: target.driver === 'directory' ? target : await withCredentials(target),
  }))
}

export function openRbdTargets(config: Config): Promise<Map<string, BackupPool>> {
  return openAll(config.rbdTargets, openRbdBackupPool)
}

async function withCredentials<T extends { credentialsFile: string }>(target: T) {
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
