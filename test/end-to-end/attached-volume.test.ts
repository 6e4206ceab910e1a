/** Volumes that a guest has open. The guest is a qemu-storage-daemon that is written through NBD without a pause. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Blockdev } from '../../block-io/device.ts'
import { runProcess } from '../../block-io/process.ts'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { chainIn } from '../checker/layers.ts'
import { makeRawImage } from '../support/small-images.ts'
import { startStorageDaemonGuest } from '../support/storage-daemon-guest.ts'
import { tempDir } from '../support/temp-dir.ts'
import { writesIn } from '../support/write-log.ts'
import { expectVolumeInUse } from './attached-steps.ts'
import { Installation, withGuestSockets } from './installation.ts'
import { ended, killWorkerOf, MiB, until, uploadImage } from './steps.ts'

const SIZE_BYTES = 32 * MiB
/** Behind the slots that the guest writes: so that a backup takes a while. */
const CONTENT = { sizeBytes: SIZE_BYTES, data: [{ offset: 4 * MiB, length: 12 * MiB, seed: 1 }] }
const GUEST = 'vm-1'

test('a volume that a guest writes is snapshotted, backed up and given back, and nothing else is done with it', async () => {
  await using installation = await Installation.start(withGuestSockets())
  const { client, folder } = installation
  await makeRawImage(join(folder, 'image.raw'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
  const attached = await ended(installation, client.attachVolume(volumeId, { guest: GUEST }))
  await using guest = await startGuest(installation, attached)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use' })
  expect((await client.listAttachments(volumeId)).items).toMatchObject([{ volumeId, guest: GUEST }])
  await guest.writeMore(500)

  const before = guest.written.ended
  const snapshot = await ended(installation, client.createSnapshot({ volumeId }))
  const after = guest.written.begun
  await guest.writeMore(500)
  const writes = await writesUnder(installation.snapshotFolder(volumeId, snapshot.resourceId))
  expect(writes).toBeGreaterThanOrEqual(before)
  expect(writes).toBeLessThanOrEqual(after)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use' })

  await expectVolumeInUse(installation, volumeId, { imageId, snapshotId: snapshot.resourceId })
  // Its qemu may not resize what it exports over NBD, and says so.
  const extension = await ended(
    installation,
    client.extendVolume(volumeId, { sizeBytes: 64 * MiB }),
    'failed',
  )
  expect(extension.error).toMatchObject({ code: 'inUse', message: expect.stringMatching(/vm-1.*resize/) })
  const detachment = await ended(installation, client.detachVolume(volumeId), 'failed')
  expect(detachment.error).toMatchObject({ code: 'inUse' })
  const { status, sizeBytes } = await client.showVolume(volumeId)
  expect({ status, sizeBytes }).toEqual({ status: 'in-use', sizeBytes: SIZE_BYTES })

  await guest.stopWriting()
  const { ended: written } = guest.written
  await guest.kill()
  expect(await ended(installation, client.createSnapshot({ volumeId }), 'failed')).toMatchObject({
    error: { code: 'inUse', message: expect.stringMatching(/Start the guest, or detach/) },
  })
  await ended(installation, client.detachVolume(volumeId))
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  expect((await client.listAttachments(volumeId)).items).toEqual([])
  expect(await writesUnder(installation.volumeFolder(volumeId))).toBe(written)
  for (const { id, status } of (await client.listSnapshots()).items) {
    expect(status).toBe(id === snapshot.resourceId ? 'available' : 'error')
    await ended(installation, client.deleteSnapshot(id))
  }
  await ended(installation, client.deleteVolume(volumeId))
  await expectClean(installation.checked())
}, 120_000)

test('a backup of a volume that a guest writes holds it no longer than for a snapshot, whoever is killed', async () => {
  await using installation = await Installation.start(withGuestSockets())
  const { client, folder } = installation
  await makeRawImage(join(folder, 'image.raw'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))
  const attached = await ended(installation, client.attachVolume(volumeId, { guest: GUEST }))
  await using guest = await startGuest(installation, attached)
  await guest.writeMore(300)

  const backups: { id: string; before: number; after: number }[] = []
  const backup = async (meanwhile: (operation: Operation) => Promise<void>) => {
    const before = guest.written.ended
    const { operation } = await client.createBackup({ volumeId })
    expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use' })
    await until('a snapshot is read', async () => (await client.showOperation(operation.id)).doneBytes > 0)
    const after = guest.written.begun
    await meanwhile(operation)
    await ended(installation, operation)
    backups.push({ id: operation.resourceId, before, after })
  }

  await client.changeBackend('files', { rateLimitBytes: 2 * MiB })
  await backup(async (operation) => {
    // Free for whoever wants it alone; that the guest still has it open is another matter.
    expect(await client.showVolume(volumeId)).not.toHaveProperty('holderOperationId')
    expect(await ended(installation, client.detachVolume(volumeId), 'failed')).toMatchObject({
      error: { code: 'inUse' },
    })
    await killWorkerOf(installation, operation)
    await client.changeBackend('files', { rateLimitBytes: null })
  })
  expect(await layersOf(installation, volumeId)).toHaveLength(2)
  await client.changeBackend('files', { rateLimitBytes: 2 * MiB })
  await backup(async () => {
    await guest.kill()
    await client.changeBackend('files', { rateLimitBytes: null })
  })
  for (const { id, before, after } of backups) {
    const restored = await ended(installation, client.createVolume({ backupId: id }))
    const writes = await writesUnder(installation.volumeFolder(restored.resourceId))
    expect(writes).toBeGreaterThanOrEqual(before)
    expect(writes).toBeLessThanOrEqual(after)
  }
  await ended(installation, client.detachVolume(volumeId))
  await writesUnder(installation.volumeFolder(volumeId))
  await expectClean(installation.checked())
}, 120_000)

test('a volume that is open although nobody said so is refused at once, and is as it was', async () => {
  await using installation = await Installation.start(withGuestSockets())
  const { client } = installation
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ sizeBytes: SIZE_BYTES }))
  const attached = await ended(installation, client.attachVolume(volumeId, {}))
  await expect(client.createSnapshot({ volumeId })).rejects.toMatchObject({
    status: 409,
    code: 'volumeInUse',
  })
  await expect(client.createBackup({ volumeId })).rejects.toMatchObject({ status: 409, code: 'volumeInUse' })
  await ended(installation, client.detachVolume(volumeId))
  await using guest = await startGuest(installation, attached)
  await guest.writeMore(10)
  const startedMs = Date.now()
  const operations = [
    await ended(installation, client.deleteVolume(volumeId), 'failed'),
    await ended(installation, client.createSnapshot({ volumeId }), 'failed'),
    await ended(installation, client.extendVolume(volumeId, { sizeBytes: 64 * MiB }), 'failed'),
    await ended(installation, client.attachVolume(volumeId, {}), 'failed'),
  ]
  expect(Date.now() - startedMs).toBeLessThan(40_000)
  for (const { error } of operations) expect(error).toMatchObject({ code: 'inUse' })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: SIZE_BYTES })
  await guest.stopWriting()
  await guest.kill()
  expect(await writesUnder(installation.volumeFolder(volumeId))).toBe(guest.written.ended)
  await expectClean(installation.checked())
}, 120_000)

function startGuest(installation: Installation, { result }: Operation) {
  const blockdev = JSON.parse(String(result?.connection)) as Blockdev
  return startStorageDaemonGuest({ name: GUEST, socketFolder: installation.guestSockets, blockdev })
}

async function layersOf(installation: Installation, volumeId: string): Promise<string[]> {
  return readdir(installation.volumeFolder(volumeId))
}

async function writesUnder(directory: string): Promise<number> {
  const { device } = await chainIn(directory)
  const copy = join(await tempDir(), 'copy.raw')
  await runProcess('qemu-img', ['convert', '-U', '-O', 'raw', device, copy])
  return writesIn(await readFile(copy))
}
