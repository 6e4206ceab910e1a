import { beforeAll, describe, expect, test } from 'vitest'
import { HAS_CEPH, sharedCeph } from '../support/ceph-cluster.ts'
import { PoolScene } from './pool-scene.ts'
import { ended, killWorkerOf, MiB } from './steps.ts'

/** Some seconds for a cluster of one OSD. */
const LARGE_BYTES = 512 * MiB
const TARGET = 'pool'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test('what the cluster was about to copy passes through us when it is killed', async () => {
    await using scene = await PoolScene.start()
    const { client, installation } = scene
    const volumeId = await scene.newVolume(LARGE_BYTES)
    const hash = await scene.change(volumeId, { byte: 1, offset: 0, length: LARGE_BYTES })
    const { resourceId: backupId } = await ended(
      installation,
      client.createBackup({ volumeId, target: TARGET }),
    )
    const killed = await scene.begun(client.createVolume({ backupId, backend: 'rbd' }))
    await killWorkerOf(installation, killed)
    expect((await ended(installation, killed)).result).toMatchObject({ path: 'copy' })
    expect(await scene.hash(killed.resourceId)).toBe(hash)
    const cancelled = await scene.begun(client.createVolume({ backupId, backend: 'rbd' }))
    await client.cancelOperation(cancelled.id)
    await ended(installation, cancelled, 'cancelled')
    await scene.expectClean()
  }, 600_000)
})
