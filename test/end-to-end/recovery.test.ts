import { execFileSync } from 'node:child_process'
import { openAsBlob } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, Connection } from '@temporalio/client'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 192 * MiB
const CONTENT = { sizeBytes: 256 * MiB, data: [{ offset: 32 * MiB, length: DATA_BYTES, seed: 5 }] }

let image: { path: string; sha256: string }

beforeAll(async () => {
  const path = join(await tempDir(), 'image.qcow2')
  image = { path, sha256: await makeQcow2Image(path, CONTENT) }
})

test('a workflow terminated by hand: the operation fails by itself and nothing is left over', async () => {
  const { installation, operation } = await startCopy()
  const connection = await Connection.connect({ address: installation.temporalAddress })
  onTestFinished(() => connection.close())
  await new Client({ connection }).workflow
    .getHandle(`create-volume-from-image/${operation.id}`)
    .terminate('by hand')
  const failed = await ended(installation, operation, 'failed')
  expect(failed.error).toMatchObject({ code: 'workflowClosed' })
  expect(await installation.client.showVolume(operation.resourceId)).toMatchObject({ status: 'error' })
  await until('the recovery has ended', async () => {
    const { status } = await new Client({ connection }).workflow
      .getHandle(`recover/${operation.id}`)
      .describe()
    return status.name === 'COMPLETED'
  })
  await expectClean(installation.checked())
}, 180_000)

test('with the database of Temporal lost, operations are carried on from their checkpoint', async () => {
  const { installation, operation } = await startCopy()
  await installation.kill9All()
  for (const name of ['temporal.db', 'temporal.db-wal', 'temporal.db-shm']) {
    await rm(join(installation.dataFolder, name), { force: true })
  }
  await installation.up()
  await ended(installation, operation)
  expect(await sha256OfVolume(installation, operation.resourceId)).toBe(image.sha256)
  await expectClean(installation.checked())
}, 180_000)

test('an image that names a file of the host fails, and waits for another upload', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  const path = join(folder, 'malicious.qcow2')
  execFileSync('qemu-img', [
    'create',
    '-q',
    '-u',
    '-f',
    'qcow2',
    '-F',
    'raw',
    '-b',
    '/etc/passwd',
    path,
    '1M',
  ])
  const { id } = await client.createImage({ diskFormat: 'qcow2' })
  const operation = await ended(installation, client.uploadImage(id, await openAsBlob(path)), 'failed')
  expect(operation.error).toMatchObject({
    code: 'invalid',
    message: expect.stringMatching(/backing file/) as string,
  })
  expect(await client.showImage(id)).toMatchObject({ status: 'queued', checksum: null, sizeBytes: null })
  await expectClean(installation.checked())
  await ended(installation, client.uploadImage(id, await openAsBlob(image.path)))
  expect(await client.showImage(id)).toMatchObject({ status: 'active', virtualSizeBytes: CONTENT.sizeBytes })
  await expectClean(installation.checked())
}, 180_000)

async function startCopy() {
  const installation = await Installation.start()
  onTestFinished(() => installation[Symbol.asyncDispose]())
  const imageId = await uploadImage(installation, image.path, 'qcow2')
  // Slow enough to be met in the middle.
  await installation.client.changeBackend('files', { rateLimitBytes: 48 * MiB })
  const { operation } = await installation.client.createVolume({ imageId })
  await until(
    'half is copied',
    async () => (await writtenBytes(installation, operation.resourceId)) > DATA_BYTES / 2,
  )
  return { installation, operation }
}
