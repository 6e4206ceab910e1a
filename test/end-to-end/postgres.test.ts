import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { expectClean } from '../checker/check.ts'
import { makeDatabase, startPostgres } from '../support/postgres-server.ts'
import { HAS_POSTGRES } from '../support/postgres-wanted.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage, writtenBytes } from './steps.ts'

const DATA_BYTES = 256 * MiB
const CONTENT = { sizeBytes: 300 * MiB, data: [{ offset: MiB, length: DATA_BYTES, seed: 7 }] }

/** Longer than a writer may go on without renewing its lease. */
const OUTAGE_MS = 7_000

test.skipIf(!HAS_POSTGRES)(
  'PostgreSQL goes away in the middle of a copy: requests get 503, and when it is back the copy is finished',
  async () => {
    const server = await startPostgres()
    onTestFinished(() => server.remove())
    await using installation = await Installation.start({ database: await makeDatabase(server.admin) })
    const { client, folder } = installation
    const sha256 = await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
    const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
    const { operation } = await client.createVolume({ imageId })
    await until(
      'half is copied',
      async () => (await writtenBytes(installation, operation.resourceId)) > DATA_BYTES / 2,
    )
    await server.stop()
    const unavailable = { status: 503, code: 'databaseUnavailable' }
    await expect(client.createVolume({ sizeBytes: MiB })).rejects.toMatchObject(unavailable)
    await expect(client.showOperation(operation.id)).rejects.toMatchObject(unavailable)
    await sleep(OUTAGE_MS)
    await server.startAgain()
    await ended(installation, operation)
    expect(await sha256OfVolume(installation, operation.resourceId)).toBe(sha256)
    await ended(installation, client.createBackup({ volumeId: operation.resourceId }))
    await expectClean(installation.checked())
  },
  180_000,
)
