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

/** As the checker and a configuration file are told about a backend, or a store, with nothing in it. */
export async function newRbdPlace(of: 'volumes' | 'images' = 'volumes') {
  const { pool, namespace, user, confFile, keyringFile } = await newRbdConfig(of)
  if (keyringFile === undefined) throw new Error('Expected a keyring')
  return { pool, namespace, user, confFile, keyringFile }
}

/** A backend, or a store, with nothing in it: a namespace of the shared cluster. */
export async function newRbdConfig(pool: 'volumes' | 'images' = 'volumes'): Promise<RbdConfig> {
  const { confFile, user, keyringFile } = await sharedCeph()
  const namespace = randomUUID()
  await asCephAdmin('rbd', 'namespace', 'create', `${pool}/${namespace}`)
  const ownConfFile = join(await tempDir(), 'rbd.conf')
  return { driver: 'rbd', pool, namespace, user, confFile, keyringFile, ownConfFile }
}
