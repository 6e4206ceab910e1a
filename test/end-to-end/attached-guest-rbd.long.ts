import { beforeAll, test } from 'vitest'
import { rbdBytes } from '../checker/rbd-backend.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { withGuestSockets } from './installation.ts'
import { goOnWriting } from './writing-machine.ts'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

test.runIf(HAS_CEPH)(
  'a machine goes on writing its volume in a pool while that is snapshotted, extended and backed up',
  async () => {
    const place = await newRbdPlace()
    await goOnWriting(withGuestSockets(place), async (_, volumeId, snapshotId) => {
      const snapshot = snapshotId === undefined ? '' : `@snapshot-${snapshotId}`
      return Buffer.concat(await Array.fromAsync(rbdBytes(place, `volume-${volumeId}${snapshot}`)))
    })
  },
)
