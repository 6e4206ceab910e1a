import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import { expectClean } from '../checker/check.ts'
import { writePattern } from '../drivers/volumes/device-bytes.ts'
import { makeQcow2Image, makeRawImage } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 192 * MiB
const CONTENT = { sizeBytes: 256 * MiB, data: [{ offset: 8 * MiB, length: DATA_BYTES, seed: 1 }] }

test('a volume is cloned, flattened, cancelled and killed on the way: right bytes, and the source goes its own way', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const { resourceId: sourceVolumeId } = await ended(installation, client.createVolume({ imageId }))
  await ended(installation, client.deleteImage(imageId))
  await expectNotFound(client.showImage(imageId))

  const layer = await ended(installation, client.createVolume({ sourceVolumeId }))
  expect(layer.result).toMatchObject({ path: expect.stringMatching(/^(qcow2-layer|reflink)$/) as string })
  const halfOf = (volumeId: string) =>
    until('half is copied', async () => (await writtenBytes(installation, volumeId)) > DATA_BYTES / 2)

  const cancelled = (await client.createVolume({ sourceVolumeId, flatten: true })).operation
  await halfOf(cancelled.resourceId)
  await client.cancelOperation(cancelled.id)
  await ended(installation, cancelled, 'cancelled')
  await expectNotFound(client.showVolume(cancelled.resourceId))
  await expectClean(installation.checked())

  const killed = (await client.createVolume({ sourceVolumeId, flatten: true, sizeBytes: 300 * MiB }))
    .operation
  await halfOf(killed.resourceId)
  process.kill(await installation.servicePid('data-worker'), 'SIGKILL')
  await ended(installation, killed)
  expect(await client.showVolume(killed.resourceId)).toMatchObject({ sizeBytes: 300 * MiB, sourceVolumeId })
  await expectClean(installation.checked())

  await ended(installation, client.deleteVolume(sourceVolumeId))
  expect(await sha256OfVolume(installation, layer.resourceId)).toBe(sha256)
  await ended(installation, client.extendVolume(layer.resourceId, { sizeBytes: 300 * MiB }))
  expect(await sha256OfVolume(installation, layer.resourceId)).toBe(
    await sha256OfVolume(installation, killed.resourceId),
  )
  await expectClean(installation.checked())
}, 180_000)

test('volumes are extended and reverted while the data worker is killed again and again: each ends whole', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  const small = { sizeBytes: 8 * MiB, data: [{ offset: 0, length: MiB, seed: 3 }] }
  const larger = { ...small, sizeBytes: 16 * MiB }
  const sha256 = await makeRawImage(join(folder, 'image.raw'), small)
  const largerSha256 = await makeRawImage(join(folder, 'larger.raw'), larger)
  const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
  const backend = await openVolumeDriver({ driver: 'file', path: join(installation.dataFolder, 'volumes') })
  for (const delayMs of [0, 5, 20, 60]) {
    const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
    const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))
    const extend = (await client.extendVolume(volumeId, { sizeBytes: 16 * MiB })).operation
    await killSoon(installation, delayMs)
    await ended(installation, extend)
    expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 16 * MiB })
    expect(await client.showSnapshot(snapshotId)).toMatchObject({ sizeBytes: 8 * MiB })
    expect(await sha256OfVolume(installation, volumeId)).toBe(largerSha256)

    // As a guest would, and in a layer of its own.
    const guest = await backend.openVolume({ volumeId, access: 'write' })
    await writePattern(guest, { byte: 7, offset: 512 * 1024, length: 12 * MiB })
    expect(await sha256OfVolume(installation, volumeId)).not.toBe(largerSha256)
    const revert = (await client.revertVolume(volumeId, { snapshotId })).operation
    await killSoon(installation, delayMs)
    await ended(installation, revert)
    expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 16 * MiB })
    expect(await sha256OfVolume(installation, volumeId)).toBe(largerSha256)
    const copy = await ended(installation, client.createVolume({ snapshotId }))
    expect(await sha256OfVolume(installation, copy.resourceId)).toBe(sha256)
  }
  expect(await installation.stop()).toBe(0)
  await expectClean(installation.checked())
}, 180_000)

/** It may be over by then, or in any of its steps. */
async function killSoon(installation: Installation, delayMs: number): Promise<void> {
  const pid = await installation.servicePid('data-worker')
  await new Promise((resolve) => setTimeout(resolve, delayMs))
  process.kill(pid, 'SIGKILL')
  await until(
    'another data worker',
    async () => (await installation.servicePid('data-worker').catch(() => pid)) !== pid,
  )
}
