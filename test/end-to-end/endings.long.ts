/** Endings that take minutes by their nature. */
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, until, uploadImage } from './steps.ts'

const CRASHES = 5

test('without a worker an operation says so after a minute, and goes on when there is one', async () => {
  await using installation = await Installation.start()
  const { client } = installation
  const worker = await installation.servicePid('data-worker')
  process.kill(worker, 'SIGSTOP')
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const waitingFor = async () => (await client.showOperation(operation.id)).waitingFor ?? ''
  await until(
    'it says so',
    async () => (await waitingFor()).startsWith('no worker for backend/files'),
    240_000,
  )
  process.kill(worker, 'SIGCONT')
  await ended(installation, operation)
  await expectClean(installation.checked())
})

test('an operation that kills its worker five times at one point fails as poison, and leaves nothing', async () => {
  await using installation = await Installation.start()
  const { client, folder } = installation
  const content = { sizeBytes: 80 * MiB, data: [{ offset: 0, length: 64 * MiB, seed: 1 }] }
  await makeQcow2Image(join(folder, 'image.qcow2'), content)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  // No attempt gets to a checkpoint.
  await client.changeBackend('files', { rateLimitBytes: MiB })
  const { operation } = await client.createVolume({ imageId })
  for (let crash = 1; crash <= CRASHES; crash += 1) {
    const copying = async () => {
      const { attempt, phase, nextRetryAt } = await client.showOperation(operation.id)
      return attempt >= crash && phase === 'converting' && nextRetryAt === null
    }
    await until(`attempt ${crash} copies`, copying, 60_000)
    process.kill(await installation.servicePid('data-worker'), 'SIGKILL')
  }
  const failed = await ended(installation, operation, 'failed')
  expect(failed.error).toMatchObject({ code: 'poison' })
  expect(await client.showVolume(operation.resourceId)).toMatchObject({ status: 'error' })
  await expectClean(installation.checked())
})
