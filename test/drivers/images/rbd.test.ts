/** On a real cluster (Debian's packages), started by the test run. */
import { beforeAll, describe } from 'vitest'
import { openImageStore } from '../../../drivers/images/registry.ts'
import { HAS_CEPH, newRbdConfig, sharedCeph } from '../../support/ceph-cluster.ts'
import { describeImageStore } from './contract.ts'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('RBD', () => {
  describeImageStore('the RBD store', async () => openImageStore(await newRbdConfig('images')))
})
