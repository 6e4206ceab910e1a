import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { openObjects } from '../checker/repository/objects.ts'
import { restoreSha256 } from '../checker/repository/restore.ts'
import { fileSha256, volumeSha256 } from '../checker/volume-sha256.ts'
import { makeQcow2Image, makeRawImage, pseudoRandom } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, sha256OfVolume, uploadImage } from './steps.ts'

const SIZE_BYTES = 64 * MiB
const LARGER_BYTES = 80 * MiB
const CONTENT = {
  sizeBytes: SIZE_BYTES,
  data: [
    { offset: 0, length: 10 * MiB + 512, seed: 1 },
    { offset: 30 * MiB + 4096, length: 9 * MiB, seed: 2 },
    { offset: SIZE_BYTES - MiB, length: MiB, seed: 3 },
  ],
}

test('an image becomes a volume, a snapshot, a larger clone, two backups and a restored volume, byte for byte', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, folder } = installation
  const checked = installation.checked()
  const s3 = checked.targets.s3
  if (s3 === undefined) throw new Error('Expected a target on S3')
  const backupSha256 = (backupId: string) =>
    restoreSha256({ target: s3, backupKeyFile: checked.backupKeyFile, domain: 'default', backupId })

  const imageSha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT, { compressed: true })
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  expect(await client.showImage(imageId)).toMatchObject({ status: 'active', virtualSizeBytes: SIZE_BYTES })

  const volume = await ended(installation, client.createVolume({ imageId, sizeBytes: SIZE_BYTES }))
  expect(await sha256OfVolume(installation, volume.resourceId)).toBe(imageSha256)

  const snapshot = await ended(installation, client.createSnapshot({ volumeId: volume.resourceId }))
  const snapshotFolder = installation.snapshotFolder(volume.resourceId, snapshot.resourceId)
  expect(await volumeSha256(snapshotFolder)).toBe(imageSha256)

  const clone = await ended(
    installation,
    client.createVolume({ snapshotId: snapshot.resourceId, flatten: true, sizeBytes: LARGER_BYTES }),
  )
  const reference = join(folder, 'reference.raw')
  const cloneSha256 = await makeRawImage(reference, { ...CONTENT, sizeBytes: LARGER_BYTES })
  expect(await sha256OfVolume(installation, clone.resourceId)).toBe(cloneSha256)
  const layered = await ended(
    installation,
    client.createVolume({ snapshotId: snapshot.resourceId, sizeBytes: LARGER_BYTES }),
  )
  expect(await sha256OfVolume(installation, layered.resourceId)).toBe(cloneSha256)

  const full = await ended(installation, client.createBackup({ volumeId: clone.resourceId, target: 's3' }))
  expect(await backupSha256(full.resourceId)).toBe(cloneSha256)

  await writeInto(join(installation.volumeFolder(clone.resourceId), '0.raw'), 70 * MiB, 3 * MiB)
  await writeInto(reference, 70 * MiB, 3 * MiB)
  const changedSha256 = await fileSha256(reference)
  const incremental = await ended(
    installation,
    client.createBackup({ volumeId: clone.resourceId, target: 's3', incremental: true }),
  )
  expect(await backupSha256(incremental.resourceId)).toBe(changedSha256)
  expect(await backupSha256(full.resourceId)).toBe(cloneSha256)
  expect(incremental.result).toMatchObject({ path: 'incremental', newChunks: 2 })

  const restored = await ended(installation, client.createVolume({ backupId: incremental.resourceId }))
  expect(await sha256OfVolume(installation, restored.resourceId)).toBe(changedSha256)
  await expectClean(installation.checked())

  for (const { resourceId } of [full, incremental]) {
    await ended(installation, client.deleteBackup(resourceId))
    await expectNotFound(client.showBackup(resourceId))
  }
  const planned = await ended(installation, client.collectTarget('s3', { dryRun: true }))
  const collected = await ended(installation, client.collectTarget('s3'))
  const { unneededObjects: deletedObjects, unneededBytes: deletedBytes } = planned.result ?? {}
  expect(deletedObjects).toBeGreaterThan(2)
  expect(collected.result).toMatchObject({
    deletedObjects,
    deletedBytes,
    rescuedObjects: 0,
    lockedObjects: 0,
  })
  await ended(installation, client.deleteSnapshot(snapshot.resourceId))
  for (const { resourceId } of [volume, clone, layered, restored]) {
    await ended(installation, client.deleteVolume(resourceId))
    await expectNotFound(client.showVolume(resourceId))
  }
  await expectClean(installation.checked({ collected: true }))
  const objects = openObjects(s3)
  expect([...(await objects.list()).keys()].toSorted()).toEqual([
    ...['d/default/key', 'domains/default'],
    expect.stringMatching(/^keys\//),
    ...['repo.json', 'state'],
  ])
  objects.close()
  expect(await installation.stop()).toBe(0)
  await expectClean(installation.checked({ collected: true }))
}, 180_000)

async function writeInto(path: string, offset: number, lengthBytes: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(pseudoRandom(lengthBytes, 4), 0, lengthBytes, offset)
}
