import { randomBytes } from 'node:crypto'
import { expect, it, onTestFinished } from 'vitest'
import { collect } from '../../backup-format/collect.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { openTarget, targetFactoryUrl } from '../../drivers/backups/registry.ts'
import { startVersityGw } from '../support/s3-servers.ts'
import { tempDir } from '../support/temp-dir.ts'
import { backUp, DOMAIN, makeImage, keyring, overwrite, restored } from './fixtures.ts'

it('a full and an incremental backup in S3, made on worker threads, restore to the same bytes', async () => {
  const server = await startVersityGw(await tempDir())
  onTestFinished(() => server.stop())
  await server.createBucket('backups')
  const { endpoint, region, accessKeyId, secretAccessKey } = server
  const credentials = { endpoint, region, accessKeyId, secretAccessKey }
  const targetSpec = { driver: 's3', ...credentials, bucket: 'backups', prefix: 'volflow' } as const
  const target = openTarget(targetSpec)
  onTestFinished(() => target.close())
  const repository = await createOrOpenRepository(target, keyring())
  const threads = { targetFactoryUrl, targetSpec, count: 2 }
  const image = await makeImage('r.tr.r', repository.chunkBytes)
  const full = await backUp(repository, image, { threads })
  await overwrite(image, 4 * repository.chunkBytes, randomBytes(100))
  const incremental = await backUp(repository, image, { threads, parentBackupId: full.backupId })
  expect(incremental.totals).toMatchObject({ dataChunks: 5, newChunks: 1 })
  await deleteBackup(repository, { domain: DOMAIN, backupId: full.backupId })
  // The parent's index page is all that only it needed.
  expect(await collect(repository)).toMatchObject({ outcome: 'done', accounts: { deleted: { objects: 1 } } })
  expect((await restored(repository, incremental.backupId, image.bytes.length)).equals(image.bytes)).toBe(
    true,
  )
})
