import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { volumeSha256 } from '../checker/volume-sha256.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { allocatedBytes, ended, killWorkerOf, MiB, sha256OfVolume, until, uploadImage } from './steps.ts'

const DATA_BYTES = 384 * MiB
const CONTENT = {
  sizeBytes: 450 * MiB,
  data: [0, 1, 2].map((piece) => ({ offset: piece * 150 * MiB, length: 128 * MiB, seed: piece })),
}
const BACKENDS = { files: { driver: 'file', path: 'volumes' }, other: { driver: 'file', path: 'other' } }

test('a volume moves to another backend and back: cancelled it stays whole where it was, killed it goes on', async () => {
  await using installation = await Installation.start({ config: { backends: BACKENDS } })
  const { client, folder, dataFolder } = installation
  const volumesIn = (backend: 'files' | 'other') => join(dataFolder, BACKENDS[backend].path, 'volumes')
  const expectAllClean = () =>
    expectClean({
      ...installation.checked(),
      backends: { files: join(dataFolder, 'volumes'), other: join(dataFolder, 'other') },
    })
  const half = (operation: Operation, backend: 'files' | 'other') =>
    until('half of the volume is there', async () => {
      return (await allocatedBytes(join(volumesIn(backend), operation.resourceId))) > DATA_BYTES / 2
    })

  await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const { resourceId: origin } = await ended(installation, client.createVolume({ imageId }))
  const { resourceId: snapshotId } = await ended(installation, client.createSnapshot({ volumeId: origin }))
  await expect(client.migrateVolume(origin, { backend: 'other' })).rejects.toMatchObject({
    status: 409,
    code: 'volumeHasSnapshots',
  })
  // Of another size than its snapshot, a clone has a layer of its own: it is read through its chain.
  const clone = await ended(installation, client.createVolume({ snapshotId, sizeBytes: 500 * MiB }))
  const { resourceId: volumeId } = clone
  const sha256 = await sha256OfVolume(installation, volumeId)

  const cancelled = await client.migrateVolume(volumeId, { backend: 'other' })
  expect(cancelled.volume).toMatchObject({ status: 'maintenance', backend: 'files' })
  await half(cancelled.operation, 'other')
  await client.cancelOperation(cancelled.operation.id)
  await ended(installation, cancelled.operation, 'cancelled')
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', backend: 'files' })
  expect(await readdir(volumesIn('other'))).toEqual([])
  expect(await sha256OfVolume(installation, volumeId)).toBe(sha256)
  await expectAllClean()

  const { operation } = await client.migrateVolume(volumeId, { backend: 'other' })
  await half(operation, 'other')
  await killWorkerOf(installation, operation)
  expect(await ended(installation, operation)).toMatchObject({ result: { path: 'copy' } })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', backend: 'other' })
  expect(await readdir(volumesIn('files'))).toEqual([origin])
  expect(await volumeSha256(join(volumesIn('other'), volumeId))).toBe(sha256)
  await expectAllClean()

  await ended(installation, client.migrateVolume(volumeId, { backend: 'files' }))
  expect(await readdir(volumesIn('other'))).toEqual([])
  expect(await sha256OfVolume(installation, volumeId)).toBe(sha256)
  expect(await installation.stop()).toBe(0)
  await expectAllClean()
}, 180_000)
