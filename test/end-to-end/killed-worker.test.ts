import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { restoreSha256 } from '../checker/repository/restore.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 384 * MiB
const CONTENT = {
  sizeBytes: 450 * MiB,
  data: [0, 1, 2].map((piece) => ({ offset: piece * 150 * MiB, length: 128 * MiB, seed: piece })),
}

test('a data worker killed with -9 half-way through each kind of copy: every operation goes on to the right bytes', async () => {
  await using installation = await Installation.start({
    s3: true,
    config: { workers: { dataConcurrency: 4 } },
  })
  const { client, folder, proxy } = installation
  const killHalfWay = async (what: string, bytes: () => number | Promise<number>) => {
    const pid = await installation.servicePid('data-worker')
    await until(`${what} is half-way`, async () => (await bytes()) > DATA_BYTES / 2)
    process.kill(pid, 'SIGKILL')
  }

  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')

  const image = (await client.createVolume({ imageId })).operation
  await killHalfWay('image to volume', () => writtenBytes(installation, image.resourceId))
  expect(await ended(installation, image)).toMatchObject({ attempt: 2 })
  expect(await sha256OfVolume(installation, image.resourceId)).toBe(sha256)

  const snapshot = await ended(installation, client.createSnapshot({ volumeId: image.resourceId }))
  const { resourceId: snapshotId } = snapshot
  const flatten = (await client.createVolume({ snapshotId, flatten: true })).operation
  await killHalfWay('flatten', () => writtenBytes(installation, flatten.resourceId))
  expect(await ended(installation, flatten)).toMatchObject({ attempt: 2 })
  expect(await sha256OfVolume(installation, flatten.resourceId)).toBe(sha256)

  const upBefore = proxy.upBytes
  const backup = (await client.createBackup({ volumeId: image.resourceId, target: 's3' })).operation
  await killHalfWay('backup', () => proxy.upBytes - upBefore)
  await ended(installation, backup)
  const { backupKeyFile, targets } = installation.checked()
  if (targets.s3 === undefined) throw new Error('Expected a target on S3')
  const restored = await restoreSha256({
    ...{ target: targets.s3, backupKeyFile, domain: 'default', backupId: backup.resourceId },
  })
  expect(restored).toBe(sha256)

  const restore = (await client.createVolume({ backupId: backup.resourceId })).operation
  await killHalfWay('restore', () => writtenBytes(installation, restore.resourceId))
  expect(await ended(installation, restore)).toMatchObject({ attempt: 2 })
  expect(await sha256OfVolume(installation, restore.resourceId)).toBe(sha256)
  await expectClean(installation.checked())
}, 180_000)
