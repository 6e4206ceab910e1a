/** Where a scene keeps what it works on: volumes in the backends `here` and `there`, images in the stores `local` and `second`. */
import { newRbdPlace } from '../../support/ceph-cluster.ts'
import type { CheckedInstallation } from '../../checker/installation.ts'
import { rbdSha256 } from '../../checker/rbd-backend.ts'
import { fileSha256 } from '../../checker/volume-sha256.ts'
import { type Disks, FILE_DISKS, rbdDisks } from '../clients/disks.ts'
import type { Installation } from '../installation.ts'
import { join } from 'node:path'

export interface Storage {
  readonly disks: Disks
  /** Of volflow.yaml. */
  readonly stores: Readonly<Record<'local' | 'second', object>>
  /** One, for volumes and images: what is cloned moves no bytes. */
  readonly isCluster: boolean
  /** So long after everything is back, each operation has ended or advances. All of these are small: they end. */
  readonly promisedMs: number
  /** Of an image in `local`, seen past every API of ours. */
  imageSha256(installation: Installation, imageId: string): Promise<string>
  /** For the checker. */
  checkedStores(installation: Installation): Pick<CheckedInstallation, 'stores' | 'rbdStores'>
}

const FOLDERS = { local: 'images', second: 'second' }

export const FILES: Storage = {
  disks: FILE_DISKS,
  stores: {
    local: { driver: 'file', path: FOLDERS.local },
    second: { driver: 'file', path: FOLDERS.second },
  },
  isCluster: false,
  promisedMs: 60_000,
  imageSha256: ({ dataFolder }, imageId) => fileSha256(join(dataFolder, FOLDERS.local, 'images', imageId)),
  checkedStores: ({ dataFolder }) => ({
    stores: { local: join(dataFolder, FOLDERS.local), second: join(dataFolder, FOLDERS.second) },
  }),
}

/** Four namespaces of the shared cluster. */
export async function newRbdStorage(): Promise<Storage> {
  const stores = { local: await newRbdPlace('images'), second: await newRbdPlace('images') }
  return {
    disks: rbdDisks(await newRbdPlace(), await newRbdPlace()),
    stores: { local: { driver: 'rbd', ...stores.local }, second: { driver: 'rbd', ...stores.second } },
    isCluster: true,
    // Each step of each of them is a program, and who was killed while it read counts for 30 s.
    promisedMs: 180_000,
    imageSha256: (_, imageId) => rbdSha256(stores.local, `${imageId}@snap`),
    checkedStores: () => ({ stores: {}, rbdStores: stores }),
  }
}
