/** Of the matrix on a cluster, what most depends on the cluster; rbd.long.ts has all of it. */
import { beforeAll, describe } from 'vitest'
import { HAS_CEPH, sharedCeph } from '../../support/ceph-cluster.ts'
import { endingsNamed } from './all-endings.ts'
import { newRbdStorage } from './storage.ts'
import { testEndings } from './test-endings.ts'

describe.runIf(HAS_CEPH)('in pools of a cluster', () => {
  beforeAll(async () => void (await sharedCeph()), 300_000)

  testEndings(endingsNamed(['data-worker-killed']), {
    timeoutMs: 300_000,
    kinds: [
      'create-volume-from-snapshot',
      'restore-backup-into-volume',
      'revert-to-snapshot',
      'create-backup',
    ],
    newStorage: newRbdStorage,
  })
})
