import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { inject } from 'vitest'
import { runProcess } from '../../block-io/process.ts'
import type { RbdConfig } from '../../drivers/volumes/rbd/place.ts'
import type { CephCluster } from '../../scripts/ceph/cluster.ts'
import { locate } from '../../scripts/setup/locate.ts'
import { tempDir } from './temp-dir.ts'

/** Without it the tests on RBD are skipped, and say so; with CI=true the set-up has failed before that. */
export const HAS_CEPH = locate('ceph-osd') !== undefined && locate('rbd') !== undefined

if (!HAS_CEPH) console.warn('Skipped: tests on RBD, since Ceph is not installed. Run: npm run setup')

/**
 * For tests that call a driver themselves: what the product would try again, since a cluster of one OSD had no time for it, fails them. They are
 * tried a second time, and the report says which.
 */
export const TRIED_TWICE = { retry: 1 }

export interface CephAccess {
  readonly confFile: string
  readonly user: string
  readonly keyringFile: string
  readonly adminKeyringFile: string
}

/** What other processes are told about the cluster. */
export function describeCeph({ confFile, user, keyringFile, adminKeyringFile }: CephCluster): string {
  return JSON.stringify({ confFile, user, keyringFile, adminKeyringFile } satisfies CephAccess)
}

/** The one cluster of this test run. Tests share it: use a namespace of your own, and never stop it. */
export async function sharedCeph(): Promise<CephAccess> {
  const response = await fetch(inject('cephBrokerUrl'))
  const text = await response.text()
  if (!response.ok) throw new Error(text)
  return JSON.parse(text) as CephAccess
}

/** `rbd` or `ceph` with all rights, for what the product may not do. */
export async function asCephAdmin(program: 'rbd' | 'ceph', ...args: string[]): Promise<string> {
  const { confFile, adminKeyringFile } = await sharedCeph()
  const { stdout } = await runProcess(program, ['--conf', confFile, '--keyring', adminKeyringFile, ...args])
  return stdout
}

type Pool = 'volumes' | 'images' | 'backups'

/** As the checker and a configuration file are told about a backend, or a store, with nothing in it. */
export async function newRbdPlace(of: Pool = 'volumes') {
  return placeOf(await sharedCeph(), of, (...args) => asCephAdmin('rbd', ...args))
}

/** A backend, or a store, with nothing in it: a namespace of the shared cluster. */
export async function newRbdConfig(pool: Pool = 'volumes'): Promise<RbdConfig> {
  return configOf(await newRbdPlace(pool))
}

/** In a cluster that the test file started for itself: it may stop daemons, and fill pools. */
export async function newPlaceIn(cluster: CephCluster, pool: Pool = 'volumes') {
  return placeOf(cluster, pool, (...args) => cluster.admin('rbd', args))
}

export async function configOf(place: Omit<RbdConfig, 'driver' | 'ownConfFile'>): Promise<RbdConfig> {
  return { driver: 'rbd', ...place, ownConfFile: join(await tempDir(), 'rbd.conf') }
}

async function placeOf(
  { confFile, user, keyringFile }: Pick<CephAccess, 'confFile' | 'user' | 'keyringFile'>,
  pool: string,
  rbdAsAdmin: (...args: string[]) => Promise<string>,
) {
  const namespace = randomUUID()
  await rbdAsAdmin('namespace', 'create', `${pool}/${namespace}`)
  return { pool, namespace, user, confFile, keyringFile }
}

/** 0: none. */
export async function setQuota(cluster: CephCluster, pool: string, maxBytes: number): Promise<void> {
  await cluster.admin('ceph', ['osd', 'pool', 'set-quota', pool, 'max_bytes', String(maxBytes)])
}

/** The cluster has noticed that the pool is over its quota, which takes some seconds. */
export async function isFull(cluster: CephCluster, pool: string): Promise<boolean> {
  const { pools } = JSON.parse(await cluster.admin('ceph', ['osd', 'dump', '--format', 'json'])) as {
    pools: { pool_name: string; flags_names: string }[]
  }
  const flags = pools.find(({ pool_name: name }) => name === pool)?.flags_names ?? ''
  return flags.split(',').includes('full')
}
