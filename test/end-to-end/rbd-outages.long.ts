/** Copies to a cluster that stops serving in the middle, and comes back. The cluster is this file's own. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, test } from 'vitest'
import { type CephCluster, startCephCluster } from '../../scripts/ceph/cluster.ts'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { rbdSha256 } from '../checker/rbd-backend.ts'
import { HAS_CEPH, isFull, newPlaceIn, setQuota } from '../support/ceph-cluster.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until, uploadImage } from './steps.ts'

const CONTENT = { sizeBytes: 96 * MiB, data: [{ offset: 8 * MiB, length: 64 * MiB, seed: 1 }] }
/** Slow enough that the cluster can notice a quota in the middle of it. */
const RATE_BYTES = 2 * MiB
const OUTAGE_MS = 10_000

let cluster: CephCluster

beforeAll(async () => {
  if (!HAS_CEPH) return
  cluster = await startCephCluster()
  return () => cluster.stop()
}, 300_000)

test.runIf(HAS_CEPH)(
  'a copy stands still while the OSD is down, or its pool over its quota, and then goes on',
  async () => {
    const place = await newPlaceIn(cluster)
    await using installation = await Installation.start({ rbd: place })
    const { client, folder } = installation
    const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
    const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
    const movedBytes = async ({ id }: Operation) => (await client.showOperation(id)).movedBytes
    const begun = async () => {
      await client.changeBackend('rbd', { rateLimitBytes: RATE_BYTES })
      const { operation } = await client.createVolume({ imageId, backend: 'rbd' })
      await until('some of it is moved', async () => (await movedBytes(operation)) > RATE_BYTES)
      return operation
    }
    /** Nothing but the cluster holds it back. */
    const expectWaiting = async ({ id }: Operation) => {
      await client.changeBackend('rbd', { rateLimitBytes: null })
      await sleep(OUTAGE_MS)
      expect(await client.showOperation(id)).toMatchObject({ state: 'running' })
    }
    const expectEnd = async (operation: Operation) => {
      expect(await ended(installation, operation)).toMatchObject({ attempt: 1 })
      expect(await rbdSha256(place, `volume-${operation.resourceId}`)).toBe(sha256)
    }

    const stopped = await begun()
    await cluster.osd.kill()
    await expectWaiting(stopped)
    await cluster.osd.startAgain()
    await expectEnd(stopped)

    const overQuota = await begun()
    await setQuota(cluster, 'volumes', MiB)
    await until('it is full', () => isFull(cluster, 'volumes'), 30_000, 200)
    await expectWaiting(overQuota)
    await setQuota(cluster, 'volumes', 0)
    await expectEnd(overQuota)
    await expectClean(installation.checked())
  },
  180_000,
)
