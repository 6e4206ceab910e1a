import { stat } from 'node:fs/promises'
import type { Client } from '@temporalio/client'
import { openRepository, type Repository } from '../../backup-format/repository.ts'
import type { Config } from '../../config/config.ts'
import type { Database } from '../../database/open.ts'
import { openCinderStore } from '../../drivers/cinder/registry.ts'
import { stagedKey } from '../../domain/cinder-names.ts'
import type { CinderStore } from '../../backup-format/cinder/store.ts'
import type { BackupPool } from '../../drivers/backups/pool.ts'
import { openRbdBackupPool } from '../../drivers/backups/rbd/rbd-backup-pool.ts'
import { openTarget } from '../../drivers/backups/registry.ts'
import { openImageStore } from '../../drivers/images/registry.ts'
import type { Inventory } from '../../drivers/inventory.ts'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import type { BackupTarget } from '../../backup-format/target.ts'
import type { ImageStore } from '../../drivers/images/driver.ts'
import { lookingKeyring } from '../keyring.ts'
import { openTargetSpec } from '../places.ts'
import type { Finding } from './finding.ts'

/** A place that could be opened. */
export interface InventoryPlace {
  readonly type: 'backend' | 'store'
  readonly name: string
  readonly inventory: Inventory
}

export interface TargetPlace {
  readonly name: string
  readonly target: BackupTarget
  /** Undefined: nothing was ever backed up there. */
  readonly repository: Repository | undefined
}

/** A target in Cinder's format. */
export interface CinderPlace {
  readonly name: string
  readonly store: CinderStore
}

/** A target with snapshots. */
export interface PoolPlace {
  readonly name: string
  readonly pool: BackupPool
}

export interface FsckContext {
  readonly config: Config
  readonly database: Database
  readonly client: Client
  readonly inventories: readonly InventoryPlace[]
  readonly stores: ReadonlyMap<string, ImageStore>
  readonly targets: readonly TargetPlace[]
  readonly cinderTargets: readonly CinderPlace[]
  readonly rbdTargets: readonly PoolPlace[]
  /** Of opening the places. */
  readonly unreachable: readonly Finding[]
  readonly temporalAddress: string
  /** What changed within this time is left alone. */
  readonly youngMs: number
  /** Is it old enough to be judged? */
  readonly isSettled: (changedAt: string | number | null) => boolean
  /** ... and, without anything that refers to it, to be removed? */
  readonly isOldOrphan: (changedAtMs: number) => boolean
  readonly progress: (phase: string, count: number) => void
}

type OpenPlaces = Pick<
  FsckContext,
  'inventories' | 'targets' | 'cinderTargets' | 'rbdTargets' | 'unreachable' | 'stores'
>

/** Opens what can be opened, and makes nothing: an unmounted share must not become an empty backend. */
export async function openPlaces(config: Config): Promise<OpenPlaces> {
  const inventories: InventoryPlace[] = []
  const stores = new Map<string, ImageStore>()
  const targets: TargetPlace[] = []
  const cinderTargets: CinderPlace[] = []
  const rbdTargets: PoolPlace[] = []
  const unreachable: Finding[] = []
  const attempt = async (where: string, open: () => Promise<void>) => {
    await open().catch((error: Error) => unreachable.push(unreachablePlace(where, error)))
  }
  for (const [name, backend] of Object.entries(config.backends)) {
    await attempt(`backend ${name}`, async () => {
      if (backend.driver === 'file') await stat(backend.path)
      const { inventory } = await openVolumeDriver(backend)
      inventories.push({ type: 'backend', name, inventory })
    })
  }
  for (const [name, place] of Object.entries(config.stores)) {
    await attempt(`store ${name}`, async () => {
      if (place.driver === 'file') await stat(place.path)
      const store = await openImageStore(place)
      stores.set(name, store)
      inventories.push({ type: 'store', name, inventory: store.inventory })
    })
  }
  for (const [name, place] of Object.entries(config.targets)) {
    await attempt(`target ${name}`, async () => {
      if (place.driver === 'directory') await stat(place.path)
      const target = openTarget(await openTargetSpec(place))
      targets.push({ name, target, repository: await openRepository(target, lookingKeyring(config)) })
    })
  }
  for (const [name, place] of Object.entries(config.cinderTargets)) {
    await attempt(`target ${name}`, async () => {
      if (place.driver === 'directory') await stat(place.path)
      const store = openCinderStore(await openTargetSpec(place))
      // Does it answer?
      await store.get(stagedKey({ backupId: 'none' }))
      cinderTargets.push({ name, store })
    })
  }
  for (const [name, place] of Object.entries(config.rbdTargets)) {
    await attempt(`target ${name}`, async () => {
      const pool = await openRbdBackupPool(place)
      // Does it answer?
      await pool.list().next()
      rbdTargets.push({ name, pool })
    })
  }
  return { inventories, stores, targets, cinderTargets, rbdTargets, unreachable }
}

function unreachablePlace(where: string, error: Error): Finding {
  return {
    code: 'place-unreachable',
    where,
    what: where,
    explanation: `${error.message}. Nothing in it was compared.`,
    next: 'volflow doctor says what is wrong with it.',
  }
}
