import { beforeAll, describe } from 'vitest'
import { openVolumeDriver } from '../../../drivers/volumes/registry.ts'
import { HAS_CEPH, newRbdConfig, sharedCeph, TRIED_TWICE } from '../../support/ceph-cluster.ts'
import { describeVolumeDriver } from './contract.ts'

describe.runIf(HAS_CEPH)('on a real cluster', TRIED_TWICE, () => {
  beforeAll(async () => void (await sharedCeph()), 300_000)

  describeVolumeDriver('the RBD driver', async () => openVolumeDriver(await newRbdConfig()), {
    ...{ lives: 2, stepsMax: 8 },
  })
})
