import { beforeAll, test } from 'vitest'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../../support/ceph-cluster.ts'
import { HAS_CLIENTS } from './cloud.ts'
import { FILE_DISKS, rbdDisks } from './disks.ts'
import { volumeJourney } from './volume-journey.ts'

const options = { timeout: 1_800_000 }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

test.skipIf(!HAS_CLIENTS)('Volumes and snapshots in files live through openstack and cinder', options, () =>
  volumeJourney(FILE_DISKS),
)

test.skipIf(!HAS_CLIENTS || !HAS_CEPH)('... and in pools of a cluster', options, async () =>
  volumeJourney(rbdDisks(await newRbdPlace(), await newRbdPlace())),
)
