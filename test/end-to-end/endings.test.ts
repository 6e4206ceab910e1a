import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 128 * MiB
const CONTENT = { sizeBytes: 160 * MiB, data: [{ offset: 8 * MiB, length: DATA_BYTES, seed: 1 }] }

test('what is deleted while it is created is gone soon, and both operations say how they ended', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  await client.changeBackend('files', { rateLimitBytes: 16 * MiB })
  const creation = (await client.createVolume({ imageId })).operation
  await until(
    'it is under way',
    async () => (await writtenBytes(installation, creation.resourceId)) > 8 * MiB,
  )
  const { operation: deletion } = await client.deleteVolume(creation.resourceId)
  expect(deletion).toMatchObject({ state: 'pending', waitingFor: `the end of operation ${creation.id}` })
  await ended(installation, creation, 'cancelled')
  await ended(installation, deletion)
  await expectNotFound(client.showVolume(creation.resourceId))
  await expectClean(installation.checked())
}, 180_000)

test('while a target is away a backup says why it waits; tried again on request it succeeds, abandoned it ends at once', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, proxy } = installation
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ sizeBytes: 8 * MiB }))
  proxy.refuse(true)
  const retried = (await client.createBackup({ volumeId, target: 's3' })).operation
  const abandoned = (await client.createBackup({ volumeId, target: 's3' })).operation
  const waiting = async (id: string) => {
    const { attempt, nextRetryAt, lastError } = await client.showOperation(id)
    return attempt >= 2 && nextRetryAt !== null && lastError !== null
  }
  await until(
    'both wait for another try',
    async () => (await waiting(retried.id)) && (await waiting(abandoned.id)),
  )
  expect(await client.showOperation(retried.id)).toMatchObject({
    state: 'running',
    lastError: expect.stringContaining('S3 service'),
  })

  await client.abandonOperation(abandoned.id)
  const failed = await ended(installation, abandoned, 'failed')
  expect(failed.error).toMatchObject({ code: 'abandoned' })
  expect(await client.showBackup(abandoned.resourceId)).toMatchObject({ status: 'error' })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'backing-up' })

  proxy.refuse(false)
  // Between two tries, unless one has just begun.
  await client.retryOperation(retried.id).catch((error: unknown) => {
    expect(error).toMatchObject({ code: expect.stringMatching(/^operation(NotWaiting|Ended)$/) })
  })
  await ended(installation, retried)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  await expect(client.retryOperation(retried.id)).rejects.toMatchObject({
    status: 409,
    code: 'operationEnded',
  })
  await expect(client.abandonOperation(retried.id)).rejects.toMatchObject({
    status: 409,
    code: 'operationEnded',
  })
  await until('what was abandoned is removed', () =>
    expectClean(installation.checked()).then(
      () => true,
      () => false,
    ),
  )
}, 180_000)
