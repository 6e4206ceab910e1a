/** A volume of a cluster that a guest has open: a qemu-storage-daemon that is written through NBD without a pause. */
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Blockdev } from '../../block-io/device.ts'
import { expectClean } from '../checker/check.ts'
import { rbdBytes } from '../checker/rbd-backend.ts'
import { HAS_CEPH, newRbdPlace, sharedCeph } from '../support/ceph-cluster.ts'
import { makeRawImage } from '../support/small-images.ts'
import { type StorageDaemonGuest, startStorageDaemonGuest } from '../support/storage-daemon-guest.ts'
import { writesIn } from '../support/write-log.ts'
import { expectVolumeInUse } from './attached-steps.ts'
import { Installation, withGuestSockets } from './installation.ts'
import { ended, killWorkerOf, MiB, until, uploadImage } from './steps.ts'

const SIZE_BYTES = 32 * MiB
/** Behind the slots that the guest writes: so that a backup takes a while. */
const CONTENT = { sizeBytes: SIZE_BYTES, data: [{ offset: 4 * MiB, length: 12 * MiB, seed: 1 }] }
const GUEST = 'vm-1'

beforeAll(async () => {
  if (HAS_CEPH) await sharedCeph()
}, 300_000)

describe.runIf(HAS_CEPH)('on a real cluster', () => {
  test('a volume that a guest writes is snapshotted, cloned and backed up, and nothing else is done with it', async () => {
    const place = await newRbdPlace()
    await using installation = await Installation.start(withGuestSockets(place))
    const { client, folder, guestSockets: socketFolder } = installation
    await makeRawImage(join(folder, 'image.raw'), CONTENT)
    const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
    const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
    const { result } = await ended(installation, client.attachVolume(volumeId, { guest: GUEST }))
    const blockdev = JSON.parse(String(result?.connection)) as Blockdev
    await using guest = await startStorageDaemonGuest({ name: GUEST, socketFolder, blockdev })
    await guest.writeMore(300)
    const writesOf = async (image: string) =>
      writesIn(Buffer.concat(await Array.fromAsync(rbdBytes(place, image))))

    const snapshotId = await during(guest, async () => {
      const { resourceId } = await ended(installation, client.createSnapshot({ volumeId }))
      return { kept: resourceId, writes: () => writesOf(`volume-${volumeId}@snapshot-${resourceId}`) }
    })
    await during(guest, async () => {
      const clone = await ended(installation, client.createVolume({ sourceVolumeId: volumeId }))
      expect(clone.result).toMatchObject({ path: 'rbd-clone', movedBytes: 0 })
      return { kept: clone.resourceId, writes: () => writesOf(`volume-${clone.resourceId}`) }
    })
    await during(guest, async () => {
      await client.changeBackend('rbd', { rateLimitBytes: 2 * MiB })
      const { operation } = await client.createBackup({ volumeId })
      await until('it is read', async () => (await client.showOperation(operation.id)).doneBytes > 0)
      // The guest is not concerned: a snapshot is read.
      expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use' })
      await killWorkerOf(installation, operation)
      await client.changeBackend('rbd', { rateLimitBytes: null })
      await ended(installation, operation)
      const restored = await ended(installation, client.createVolume({ backupId: operation.resourceId }))
      return { kept: restored.resourceId, writes: () => writesOf(`volume-${restored.resourceId}`) }
    })
    await during(guest, async () => {
      const next = await ended(installation, client.createBackup({ volumeId, incremental: true }))
      expect(next.result).toMatchObject({ path: 'incremental', scan: 'changed' })
      const restored = await ended(installation, client.createVolume({ backupId: next.resourceId }))
      return { kept: restored.resourceId, writes: () => writesOf(`volume-${restored.resourceId}`) }
    })

    await expectVolumeInUse(installation, volumeId, { imageId, snapshotId })
    // Its qemu may not resize what it exports over NBD, and says so.
    const extend = () => client.extendVolume(volumeId, { sizeBytes: 2 * SIZE_BYTES })
    expect(await ended(installation, extend(), 'failed')).toMatchObject({
      error: { code: 'inUse', message: expect.stringMatching(/vm-1.*resize/) as string },
    })
    expect(await ended(installation, client.detachVolume(volumeId), 'failed')).toMatchObject({
      error: { code: 'inUse' },
    })
    const { status, sizeBytes } = await client.showVolume(volumeId)
    expect({ status, sizeBytes }).toEqual({ status: 'in-use', sizeBytes: SIZE_BYTES })

    await guest.stopWriting()
    await guest.kill()
    // Nobody has it open: there is nobody to tell. The cluster takes 30 s to notice.
    await ended(installation, extend())
    await ended(installation, client.detachVolume(volumeId))
    expect(await client.showVolume(volumeId)).toMatchObject({
      status: 'available',
      sizeBytes: 2 * SIZE_BYTES,
    })
    expect(await writesOf(`volume-${volumeId}`)).toBe(guest.written.ended)
    await expectClean(installation.checked())
  }, 600_000)
})

/** What `take` keeps is the disk as it was at a moment between its begin and its end, and the guest goes on. */
async function during(
  guest: StorageDaemonGuest,
  take: () => Promise<{ kept: string; writes: () => Promise<number> }>,
): Promise<string> {
  const before = guest.written.ended
  const { kept, writes } = await take()
  const after = guest.written.begun
  await guest.writeMore(100)
  const found = await writes()
  expect(found).toBeGreaterThanOrEqual(before)
  expect(found).toBeLessThanOrEqual(after)
  return kept
}
