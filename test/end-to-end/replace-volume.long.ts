import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { volumeSha256 } from '../checker/volume-sha256.ts'
import { makeQcow2Image, makeRawImage, pseudoRandom } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, killWorkerOf, MiB, sha256OfVolume, until, uploadImage } from './steps.ts'

const DATA_BYTES = 384 * MiB
const SIZE_BYTES = 450 * MiB
const LARGER_BYTES = 500 * MiB
const pieces = (seed: number) =>
  [0, 1, 2].map((piece) => ({ offset: piece * 150 * MiB, length: 128 * MiB, seed: seed + piece }))
const NEW = { sizeBytes: SIZE_BYTES, data: pieces(1) }
const OLD = {
  sizeBytes: LARGER_BYTES,
  data: [...pieces(11), { offset: 470 * MiB, length: 8 * MiB, seed: 20 }],
}

test('a volume gets the bytes of a backup or an image: all of them or, cancelled, none; killed half-way it goes on', async () => {
  await using installation = await Installation.start()
  const { client, folder, dataFolder } = installation
  /** Runs until half of the new bytes are there, whatever the volume is called that they are written to. */
  const half = async (started: Promise<{ operation: Operation }>) => {
    const before = await bytesIn(join(dataFolder, 'volumes'))
    const { operation } = await started
    const written = async () => (await bytesIn(join(dataFolder, 'volumes'))) - before
    await until('half of the bytes are there', async () => (await written()) > DATA_BYTES / 2)
    return operation
  }
  const cancelHalfWay = async (started: Promise<{ operation: Operation }>) => {
    const operation = await half(started)
    await client.cancelOperation(operation.id)
    await ended(installation, operation, 'cancelled')
    await expectClean(installation.checked())
  }
  const killHalfWay = async (started: Promise<{ operation: Operation }>) => {
    const operation = await half(started)
    await killWorkerOf(installation, operation)
    return ended(installation, operation)
  }

  await makeQcow2Image(join(folder, 'new.qcow2'), NEW)
  const imageId = await uploadImage(installation, join(folder, 'new.qcow2'), 'qcow2')
  const newSha256 = await makeRawImage(join(folder, 'new.raw'), { ...NEW, sizeBytes: LARGER_BYTES })
  const oldSha256 = await makeQcow2Image(join(folder, 'old.qcow2'), OLD)
  const oldImageId = await uploadImage(installation, join(folder, 'old.qcow2'), 'qcow2')
  const { resourceId: origin } = await ended(installation, client.createVolume({ imageId }))
  const { resourceId: backupId } = await ended(installation, client.createBackup({ volumeId: origin }))
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId: oldImageId }))
  const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))

  // The snapshot freezes the layer below: what is written goes to a layer of its own.
  await cancelHalfWay(client.restoreBackup(backupId, { volumeId }))
  expect(await sha256OfVolume(installation, volumeId)).toBe(oldSha256)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  expect(await client.showBackup(backupId)).toMatchObject({ status: 'available' })

  const restored = await killHalfWay(client.restoreBackup(backupId, { volumeId }))
  expect(restored).toMatchObject({ result: { path: 'changes' } })
  expect(await sha256OfVolume(installation, volumeId)).toBe(newSha256)
  expect(await volumeSha256(installation.snapshotFolder(volumeId, snapshotId))).toBe(oldSha256)
  await expectClean(installation.checked())

  // Only what differs is written, and nothing where nothing does.
  const again = await ended(installation, client.restoreBackup(backupId, { volumeId }))
  expect(again.result).toMatchObject({ path: 'changes', movedBytes: 0 })
  const originSha256 = await sha256OfVolume(installation, origin)
  await writeInto(join(installation.volumeFolder(origin), '0.raw'), 101 * MiB)
  const repaired = await ended(installation, client.restoreBackup(backupId, { volumeId: origin }))
  expect(repaired.result).toMatchObject({ path: 'changes', movedBytes: 4 * MiB })
  expect(await sha256OfVolume(installation, origin)).toBe(originSha256)

  await ended(installation, client.reimageVolume(volumeId, { imageId: oldImageId }))
  expect(await sha256OfVolume(installation, volumeId)).toBe(oldSha256)
  await cancelHalfWay(client.reimageVolume(volumeId, { imageId }))
  expect(await sha256OfVolume(installation, volumeId)).toBe(oldSha256)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', imageId: oldImageId })
  await killHalfWay(client.reimageVolume(volumeId, { imageId }))
  expect(await sha256OfVolume(installation, volumeId)).toBe(newSha256)
  expect(await client.showVolume(volumeId)).toMatchObject({
    status: 'available',
    imageId,
    volumeImageMetadata: { image_id: imageId },
  })
  await expectClean(installation.checked())
}, 240_000)

/** Bytes of the disk that all layers take together; a layer with several names counts once. */
async function bytesIn(backend: string): Promise<number> {
  const layers = new Map<number, number>()
  const names = await readdir(backend, { recursive: true })
  for (const name of names.filter((each) => /\.(raw|qcow2)$/.test(each))) {
    const found = await stat(join(backend, name)).catch(() => undefined)
    if (found !== undefined) layers.set(found.ino, found.blocks * 512)
  }
  return layers.values().reduce((sum, bytes) => sum + bytes, 0)
}

async function writeInto(path: string, offset: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(pseudoRandom(MiB, 4), 0, MiB, offset)
}
