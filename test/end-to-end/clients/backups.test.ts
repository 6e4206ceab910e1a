import { beforeAll, test } from 'vitest'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../../support/ceph-cluster.ts'
import { backupJourney } from './backup-journey.ts'
import { HAS_CLIENTS } from './cloud.ts'
import { FILE_DISKS, rbdDisks } from './disks.ts'

const options = { timeout: 1_800_000 }

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

test.skipIf(!HAS_CLIENTS)(
  'Backups of volumes in files are made, exported, imported and restored, and an administrator looks after types, quotas and services',
  options,
  () => backupJourney(FILE_DISKS),
)

test.skipIf(!HAS_CLIENTS || !HAS_CEPH)('... and of volumes in a pool of a cluster', options, async () =>
  backupJourney(rbdDisks(await newRbdPlace(), await newRbdPlace())),
)
