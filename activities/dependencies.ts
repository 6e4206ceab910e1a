import type { Database } from '../database/open.ts'
import type { BackupPool } from '../drivers/backups/pool.ts'
import type { ImageStore } from '../drivers/images/driver.ts'
import type { VolumeDriver } from '../drivers/volumes/driver.ts'
import type { TargetSpec } from '../backup-format/target.ts'
import type { Keyring } from '../backup-format/unlock.ts'
import type { WrittenCompression } from '../backup-format/cinder/chunk-upload.ts'
import type { CinderStore } from '../backup-format/cinder/store.ts'
import { DriverError } from '../domain/errors.ts'

/** What the composition root hands to the activities: the places by name, and never anything global. */
export interface ActivityDependencies {
  readonly database: Database
  readonly backends: ReadonlyMap<string, VolumeDriver>
  readonly stores: ReadonlyMap<string, ImageStore>
  readonly targets: ReadonlyMap<string, TargetSpec>
  /** Targets in Cinder's format; no name is among the others. */
  readonly cinderTargets: ReadonlyMap<string, CinderTarget>
  /** Targets that are pools of a cluster; no name is among the others. */
  readonly rbdTargets: ReadonlyMap<string, BackupPool>
  readonly cinderStores: ThreadableStores
  /** URL of the module that opens a target, for worker threads. */
  readonly targetFactoryUrl: string
  /** Opens the repositories of all targets. */
  readonly keyring: Keyring
  /** A folder for sockets and other short-lived things of running activities. */
  readonly runFolder: string
}

export interface CinderTarget {
  readonly spec: TargetSpec
  readonly compression: WrittenCompression
}

/** Opens Cinder's stores; `storeFactoryUrl` is the module in which worker threads find the same. */
export interface ThreadableStores {
  readonly openCinderStore: (spec: TargetSpec) => CinderStore
  readonly storeFactoryUrl: string
}

export function place<T>(places: ReadonlyMap<string, T>, what: string, name: string): T {
  const found = places.get(name)
  if (found !== undefined) return found
  throw new DriverError(
    'transient',
    `Expected ${what} ${name} to be configured on this worker. Add it to the configuration.`,
  )
}
