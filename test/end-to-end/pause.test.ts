import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 256 * MiB
const CONTENT = { sizeBytes: 300 * MiB, data: [{ offset: 8 * MiB, length: DATA_BYTES, seed: 1 }] }
const STOPPED_WITHIN_MS = 5_000

test('a paused backend stops the bytes within 5 s, also through a restart; what is paused goes on to the right bytes, or is cancelled and leaves nothing', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  await client.changeBackend('files', { rateLimitBytes: 64 * MiB })
  const { operation } = await client.createVolume({ imageId })
  const bytes = () => writtenBytes(installation, operation.resourceId)
  await until('a third', async () => (await bytes()) > DATA_BYTES / 3)
  await client.changeBackend('files', { paused: true })
  await sleep(STOPPED_WITHIN_MS)
  const stopped = await bytes()
  expect(stopped).toBeLessThan(DATA_BYTES)
  await installation.kill9All()
  await installation.up()
  const other = (await client.createVolume({ imageId })).operation
  await until(
    'the other waits, too',
    async () => (await client.showOperation(other.id)).waitingFor === 'paused',
  )
  expect(await client.showOperation(operation.id)).toMatchObject({ state: 'running', waitingFor: 'paused' })
  expect(await bytes()).toBe(stopped)
  await client.cancelOperation(other.id)
  await ended(installation, other, 'cancelled')
  await client.changeBackend('files', { paused: false, rateLimitBytes: null })
  await ended(installation, operation)
  expect(await sha256OfVolume(installation, operation.resourceId)).toBe(sha256)
  await expectClean(installation.checked())
}, 180_000)

test('a rate limit is held within 10 %, and a change of it arrives within 5 s', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  await makeQcow2Image(join(folder, 'image.qcow2'), {
    sizeBytes: 1100 * MiB,
    data: [{ offset: 0, length: 1024 * MiB, seed: 1 }],
  })
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  await client.changeBackend('files', { rateLimitBytes: 50 * MiB })
  const { operation } = await client.createVolume({ imageId })
  const bytes = () => writtenBytes(installation, operation.resourceId)
  const rateMiB = async (forMs: number) => {
    const [from, startedAtMs] = [await bytes(), performance.now()]
    await sleep(forMs)
    return ((await bytes()) - from) / MiB / ((performance.now() - startedAtMs) / 1000)
  }
  await until('it moves', async () => (await bytes()) > 16 * MiB)
  const first = await rateMiB(5_000)
  await client.changeOperation(operation.id, { rateLimitBytes: 20 * MiB })
  await sleep(5_000)
  const second = await rateMiB(5_000)
  await client.changeBackend('files', { rateLimitBytes: null })
  await client.changeOperation(operation.id, { rateLimitBytes: null })
  await ended(installation, operation)
  expect(first).toBeGreaterThan(45)
  expect(first).toBeLessThan(55)
  expect(second).toBeGreaterThan(18)
  expect(second).toBeLessThan(22)
}, 180_000)
