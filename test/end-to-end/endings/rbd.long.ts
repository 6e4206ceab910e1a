/**
 * The matrix on a cluster: volumes and images in its pools. What moves folders, or takes their rights, is matrix.long.ts alone's.
 * VOLFLOW_ENDINGS=poison,deleted runs some of the endings.
 */
import { beforeAll, describe } from 'vitest'
import { HAS_CEPH, sharedCeph } from '../../support/ceph-cluster.ts'
import { endingsNamed } from './all-endings.ts'
import { newRbdStorage } from './storage.ts'
import { testEndings } from './test-endings.ts'

const NAMES = [
  ...['cancelled-pending', 'cancelled-running', 'cancelled-committed', 'cancelled-paused'],
  ...['data-worker-killed', 'control-worker-killed', 'all-killed', 'poison'],
  ...['deleted', 'abandoned', 'terminated'],
]

describe.runIf(HAS_CEPH)('in pools of a cluster', () => {
  beforeAll(async () => void (await sharedCeph()), 300_000)

  testEndings(endingsNamed(process.env.VOLFLOW_ENDINGS?.split(',') ?? NAMES), {
    timeoutMs: 900_000,
    newStorage: newRbdStorage,
  })
})
