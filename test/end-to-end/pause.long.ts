import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 256 * MiB
const CONTENT = { sizeBytes: 300 * MiB, data: [{ offset: 8 * MiB, length: DATA_BYTES, seed: 1 }] }
const STOPPED_WITHIN_MS = 5_000

type Bytes = () => number | Promise<number>

test('a pause stops the bytes of each kind of copy within 5 s, lasts through a restart, and a resume ends with the right bytes', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, folder, proxy } = installation
  /** Slow enough to be met in the middle. */
  const slowly = () => client.changeBackend('files', { rateLimitBytes: 64 * MiB })
  const pauseAtAThird = async (
    operation: Operation,
    bytes: Bytes,
    how: 'operation' | 'backend' | 'project',
  ) => {
    await until(`a third of ${operation.kind}`, async () => (await bytes()) > DATA_BYTES / 3)
    await switches[how](operation, true)
    await sleep(STOPPED_WITHIN_MS)
    const stopped = await bytes()
    expect(stopped).toBeLessThan(DATA_BYTES)
    expect(await client.showOperation(operation.id)).toMatchObject({ state: 'running', waitingFor: 'paused' })
    await sleep(1_000)
    expect(await bytes()).toBe(stopped)
  }
  const switches = {
    operation: ({ id }: Operation, paused: boolean) => client.changeOperation(id, { paused }),
    backend: (_: Operation, paused: boolean) => client.changeBackend('files', { paused }),
    project: (_: Operation, paused: boolean) => client.changeProject({ paused }),
  }
  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  await slowly()

  const image = (await client.createVolume({ imageId })).operation
  await pauseAtAThird(image, () => writtenBytes(installation, image.resourceId), 'operation')
  await installation.kill9All()
  await installation.up()
  expect(await client.showOperation(image.id)).toMatchObject({ state: 'running', paused: true })
  await switches.operation(image, false)
  await ended(installation, image)
  expect(await sha256OfVolume(installation, image.resourceId)).toBe(sha256)

  const { resourceId: snapshotId } = await ended(
    installation,
    client.createSnapshot({ volumeId: image.resourceId }),
  )
  const flatten = (await client.createVolume({ snapshotId, flatten: true })).operation
  await pauseAtAThird(flatten, () => writtenBytes(installation, flatten.resourceId), 'backend')
  await switches.backend(flatten, false)
  await ended(installation, flatten)
  expect(await sha256OfVolume(installation, flatten.resourceId)).toBe(sha256)

  const upBefore = proxy.upBytes
  const backup = (await client.createBackup({ volumeId: image.resourceId, target: 's3' })).operation
  await pauseAtAThird(backup, () => proxy.upBytes - upBefore, 'project')
  await switches.project(backup, false)
  await ended(installation, backup)

  const restore = (await client.createVolume({ backupId: backup.resourceId })).operation
  await pauseAtAThird(restore, () => writtenBytes(installation, restore.resourceId), 'operation')
  await switches.operation(restore, false)
  await ended(installation, restore)
  expect(await sha256OfVolume(installation, restore.resourceId)).toBe(sha256)
  await expectClean(installation.checked())
}, 600_000)
