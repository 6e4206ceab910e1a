import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { fileSha256 } from '../checker/volume-sha256.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, expectNotFound, killWorkerOf, MiB, sha256OfVolume, until, uploadImage } from './steps.ts'

const DATA_BYTES = 384 * MiB
const CONTENT = {
  sizeBytes: 450 * MiB,
  data: [0, 1, 2].map((piece) => ({ offset: piece * 150 * MiB, length: 128 * MiB, seed: piece })),
}

test('a volume becomes a raw and a qcow2 image: killed half-way it begins again, cancelled it leaves nothing', async () => {
  await using installation = await Installation.start()
  const { client, folder, dataFolder } = installation
  const stages = join(dataFolder, 'images/stages')
  /** Blocks of the disk that the stage takes, under whatever name. */
  const stagedBytes = async (imageId: string) => {
    const names = (await readdir(stages)).filter((name) => name.startsWith(imageId))
    const files = await Promise.all(names.map((name) => stat(join(stages, name)).catch(() => undefined)))
    return files.reduce((sum, file) => sum + (file?.blocks ?? 0) * 512, 0)
  }
  const half = (imageId: string) =>
    until('half of the image is staged', async () => (await stagedBytes(imageId)) > DATA_BYTES / 2)

  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const source = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId: source }))

  const raw = await client.uploadVolume(volumeId, { diskFormat: 'raw', name: 'golden' })
  expect(raw.image).toMatchObject({ status: 'saving', name: 'golden', diskFormat: 'raw' })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'uploading' })
  await expect(client.deleteVolume(volumeId)).rejects.toMatchObject({ status: 409, code: 'resourceBusy' })
  await half(raw.operation.resourceId)
  await killWorkerOf(installation, raw.operation)
  expect(await ended(installation, raw.operation)).toMatchObject({ result: { path: 'raw' } })
  const rawFile = join(dataFolder, 'images/images', raw.operation.resourceId)
  expect(await fileSha256(rawFile)).toBe(sha256)
  expect((await stat(rawFile)).blocks * 512).toBeLessThan(DATA_BYTES + 4 * MiB)
  expect(await client.showImage(raw.operation.resourceId)).toMatchObject({
    status: 'active',
    sizeBytes: CONTENT.sizeBytes,
    virtualSizeBytes: CONTENT.sizeBytes,
    osHashAlgo: 'sha512',
  })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  await expectClean(installation.checked())

  // A clone of another size has a layer on top: it is read through its chain.
  const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))
  const layered = await ended(installation, client.createVolume({ snapshotId, sizeBytes: 500 * MiB }))
  const cancelled = (await client.uploadVolume(layered.resourceId, { diskFormat: 'qcow2' })).operation
  await half(cancelled.resourceId)
  await client.cancelOperation(cancelled.id)
  await ended(installation, cancelled, 'cancelled')
  await expectNotFound(client.showImage(cancelled.resourceId))
  expect(await client.showVolume(layered.resourceId)).toMatchObject({ status: 'available' })
  await expectClean(installation.checked())

  const killed = (await client.uploadVolume(layered.resourceId, { diskFormat: 'qcow2' })).operation
  await half(killed.resourceId)
  await killWorkerOf(installation, killed)
  await ended(installation, killed)
  const copy = await ended(installation, client.createVolume({ imageId: killed.resourceId }))
  expect(await sha256OfVolume(installation, copy.resourceId)).toBe(
    await sha256OfVolume(installation, layered.resourceId),
  )
  await expectClean(installation.checked())
}, 180_000)
