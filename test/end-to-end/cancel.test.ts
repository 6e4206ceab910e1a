import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 192 * MiB
const CONTENT = { sizeBytes: 256 * MiB, data: [{ offset: 8 * MiB, length: DATA_BYTES, seed: 1 }] }

test('whatever is cancelled in the middle leaves nothing behind, and its source is as before', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, folder, proxy } = installation
  const third = (what: string, bytes: () => number | Promise<number>) =>
    until(`a third of ${what}`, async () => (await bytes()) > DATA_BYTES / 3)
  const cancel = async (operation: Operation) => {
    await client.cancelOperation(operation.id)
    expect(await ended(installation, operation, 'cancelled')).toMatchObject({ error: null })
  }
  const cancelVolume = async (what: string, request: Parameters<typeof client.createVolume>[0]) => {
    const { operation } = await client.createVolume(request)
    await third(what, () => writtenBytes(installation, operation.resourceId))
    await cancel(operation)
    await expectNotFound(client.showVolume(operation.resourceId))
    await expectClean(installation.checked())
  }
  await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  await cancelVolume('image to volume', { imageId })
  expect(await client.showImage(imageId)).toMatchObject({ status: 'active' })

  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
  const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId }))
  await cancelVolume('flatten', { snapshotId, flatten: true, sizeBytes: 300 * MiB })
  expect(await client.showSnapshot(snapshotId)).toMatchObject({ status: 'available' })

  const upBefore = proxy.upBytes
  const backup = (await client.createBackup({ volumeId, target: 's3' })).operation
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'backing-up' })
  await third('backup', () => proxy.upBytes - upBefore)
  await cancel(backup)
  await expectNotFound(client.showBackup(backup.resourceId))
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  await expectClean(installation.checked())
  await ended(installation, client.collectTarget('s3'))
  await expectClean(installation.checked({ collected: true }))

  const { resourceId: backupId } = await ended(
    installation,
    client.createBackup({ snapshotId, volumeId, target: 's3' }),
  )
  await cancelVolume('restore', { backupId })
  expect(await client.showBackup(backupId)).toMatchObject({ status: 'available' })

  // Queued behind nothing, but cancelled at once: whether it had begun or not, it is gone.
  const blank = (await client.createVolume({ sizeBytes: MiB })).operation
  const outcome = await client.cancelOperation(blank.id).then(
    () => 'cancelled' as const,
    () => 'succeeded' as const,
  )
  await ended(installation, blank, outcome)
  expect(await installation.stop()).toBe(0)
  await expectClean(installation.checked())
}, 180_000)
