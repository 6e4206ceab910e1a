import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { readRows } from '../checker/database.ts'
import { processesUnder } from '../checker/processes.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { tempDir } from '../support/temp-dir.ts'
import { Installation, type InstallationOptions } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 256 * MiB
const CONTENT = { sizeBytes: 300 * MiB, data: [{ offset: MiB, length: DATA_BYTES, seed: 1 }] }

let image: { path: string; sha256: string }

beforeAll(async () => {
  const path = join(await tempDir(), 'image.qcow2')
  image = { path, sha256: await makeQcow2Image(path, CONTENT) }
})

test('killed as a whole in the middle of a copy, it carries on when it is started again', async () => {
  const { installation, operation } = await startCopy()
  await installation.kill9All()
  await expectNobodyWrites(installation)
  await installation.up()
  await expectFinished(installation, operation.id)
}, 180_000)

test('when the parent alone is killed, everything goes with it, and the next start carries on', async () => {
  const { installation, operation } = await startCopy()
  await installation.kill9Parent()
  await expectNobodyWrites(installation)
  await installation.up()
  await expectFinished(installation, operation.id)
}, 180_000)

test('Ctrl-C hands over what runs: it ends in order and soon, and the next start carries on', async () => {
  const { installation, operation } = await startCopy({ s3: true })
  await ended(installation, operation)
  const { client, proxy } = installation
  const upBefore = proxy.upBytes
  const backup = (await client.createBackup({ volumeId: operation.resourceId, target: 's3' })).operation
  await until('some is uploaded', () => proxy.upBytes - upBefore > DATA_BYTES / 8)
  const stoppedAtMs = Date.now()
  expect(await installation.stop()).toBe(0)
  expect(Date.now() - stoppedAtMs).toBeLessThan(20_000)
  await expectNobodyWrites(installation)
  const rows = readRows(installation.checked())
  expect(rows.operations.find(({ id }) => id === backup.id)).toMatchObject({ state: 'running' })
  expect(rows.attempts.filter(({ released }) => released === 0)).toEqual([])
  await installation.up()
  await ended(installation, backup)
  await expectClean(installation.checked())
  expect(await installation.stop()).toBe(0)
  await expectClean(installation.checked())
}, 180_000)

async function startCopy(options: InstallationOptions = {}) {
  const installation = await Installation.start(options)
  onTestFinished(() => installation[Symbol.asyncDispose]())
  const imageId = await uploadImage(installation, image.path, 'qcow2')
  const { operation } = await installation.client.createVolume({ imageId })
  await until(
    'half is copied',
    async () => (await writtenBytes(installation, operation.resourceId)) > DATA_BYTES / 2,
  )
  return { installation, operation }
}

/** The kernel ends orphans at once; a moment is allowed for it to take them apart. */
async function expectNobodyWrites(installation: Installation): Promise<void> {
  const { dataFolder, temporaryFolder = '' } = installation.checked()
  await expect.poll(() => processesUnder([dataFolder, temporaryFolder]), { timeout: 2_000 }).toEqual([])
  const before = await fingerprint(dataFolder)
  await sleep(1_000)
  expect(await fingerprint(dataFolder)).toEqual(before)
}

async function fingerprint(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true })
  return Promise.all(
    entries.toSorted().map(async (name) => {
      // Not the blocks: the file system may still be finding places for what was written before.
      const { mtimeMs, size } = await stat(join(folder, name))
      return `${name} ${mtimeMs} ${size}`
    }),
  )
}

async function expectFinished(installation: Installation, operationId: string) {
  const operation = await ended(installation, await installation.client.showOperation(operationId))
  expect(await sha256OfVolume(installation, operation.resourceId)).toBe(image.sha256)
  await expectClean(installation.checked())
  return operation
}
