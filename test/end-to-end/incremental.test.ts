import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openVolumeDriver } from '../../drivers/volumes/registry.ts'
import { expectClean } from '../checker/check.ts'
import { restoreSha256 } from '../checker/repository/restore.ts'
import { type Pattern, writePattern } from '../drivers/volumes/device-bytes.ts'
import { makeRawImage } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, uploadImage } from './steps.ts'

/** No multiple of a chunk. */
const SIZE_BYTES = 63 * MiB
const CONTENT = { sizeBytes: SIZE_BYTES, data: [{ offset: 0, length: 62 * MiB, seed: 1 }] }

test('incremental backups read what changed, whatever happened to the volume, and are right when nobody knows', async () => {
  await using installation = await Installation.start()
  const { client, folder, dataFolder } = installation
  await makeRawImage(join(folder, 'image.raw'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
  const backend = await openVolumeDriver({ driver: 'file', path: join(dataFolder, 'volumes') })
  const write = async (pattern: Pattern) =>
    writePattern(await backend.openVolume({ volumeId, access: 'write' }), pattern)
  /** Expects the backup to hold the volume's bytes as they are. */
  const backUp = async () => {
    const done = await ended(installation, client.createBackup({ volumeId, incremental: true }))
    const { backupKeyFile, targets } = installation.checked()
    if (targets.local === undefined) throw new Error('Expected a target')
    const backup = { target: targets.local, backupKeyFile, domain: 'default', backupId: done.resourceId }
    expect(await restoreSha256(backup)).toBe(await sha256OfVolume(installation, volumeId))
    return done
  }
  const full = await ended(installation, client.createBackup({ volumeId }))
  expect(full.result).toEqual(expect.not.objectContaining({ scan: expect.anything() as unknown }))
  expect((await backUp()).result).toMatchObject({ scan: 'changed', newChunks: 0 })

  await write({ byte: 2, offset: 10 * MiB, length: 512 })
  await write({ byte: 3, offset: SIZE_BYTES - 512, length: 512 })
  expect((await backUp()).result).toMatchObject({ scan: 'changed', newChunks: 2 })
  await ended(installation, client.extendVolume(volumeId, { sizeBytes: SIZE_BYTES + 6 * MiB }))
  const extended = await backUp()
  // The chunk with the old end is another one, with zeroes behind it.
  expect(extended.result).toMatchObject({ scan: 'changed', newChunks: 1 })

  const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))
  await write({ byte: 4, offset: 20 * MiB, length: 9 * MiB })
  await backUp()
  await ended(installation, client.revertVolume(volumeId, { snapshotId }))
  expect((await backUp()).result).toMatchObject({ scan: 'changed' })
  await ended(installation, client.deleteSnapshot(snapshotId))
  await ended(installation, client.restoreBackup(full.resourceId, { volumeId }))
  expect((await backUp()).result).toMatchObject({ scan: 'changed' })
  await ended(installation, client.reimageVolume(volumeId, { imageId }))
  const replaced = await backUp()
  expect(replaced.result).toMatchObject({
    scan: 'full',
    scanReason: expect.stringMatching(/replaced/) as string,
  })

  // Somebody who does not ask volflow for a layer to write to.
  await using file = await open(join(installation.volumeFolder(volumeId), '0.raw'), 'r+')
  await file.write(Buffer.alloc(4096, 9), 0, 4096, 30 * MiB)
  const past = await backUp()
  expect(past.result).toMatchObject({ scan: 'full', newChunks: 1 })
  await expectClean(installation.checked())

  await ended(installation, client.deleteBackup(past.resourceId))
  expect((await backUp()).result).toMatchObject({
    scan: 'full',
    scanReason: 'the snapshot of the parent backup is gone',
  })
  await expectClean(installation.checked())
  await ended(installation, client.deleteVolume(volumeId))
  await expectClean(installation.checked())
  expect((await backend.list()).snapshots).toEqual([])
}, 180_000)
