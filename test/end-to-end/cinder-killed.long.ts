/** Backups in Cinder's format, while they are made, restored, copied and unlinked: killed half-way, and cancelled half-way. */
import { hash } from 'node:crypto'
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Operation } from '../../sdk/types.ts'
import { makeVolume, writeChain } from '../backup-format/cinder/fixtures.ts'
import { expectClean } from '../checker/check.ts'
import { restoreSha256 } from '../checker/repository/restore.ts'
import { fileSha256 } from '../checker/volume-sha256.ts'
import { makeRawImage } from '../support/small-images.ts'
import { type SharedBucket, startWithCinder } from './cinder-place.ts'
import type { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, sha256OfVolume, until, uploadImage } from './steps.ts'

const CONTENT = { sizeBytes: 320 * MiB, data: [{ offset: 10 * MiB, length: 260 * MiB, seed: 3 }] }
/** Slow enough to be met half-way. */
const RATE_BYTES = 32 * MiB
const CHAIN_BYTES = 12 * MiB
/** A worker has to start, on a machine that may have much else to do. */
const AGAIN_WITHIN_MS = 180_000

test('whatever is killed half-way goes on to the right bytes, and whatever is cancelled leaves nothing', async () => {
  const shared = await startWithCinder()
  const { installation } = shared
  const { client, folder } = installation
  const expectAllClean = () => expectClean(installation.checked({ cinderTargets: { cinder: shared.place } }))
  const killed = async (started: Promise<{ operation: Operation }>, rateBytes = RATE_BYTES) => {
    const operation = await halfWay(installation, started, rateBytes)
    process.kill(await installation.servicePid('data-worker'), 'SIGKILL')
    const isBack = async () => (await client.showOperation(operation.id)).attempt === 2
    await until('a second attempt', isBack, AGAIN_WITHIN_MS, 100)
    await client.changeOperation(operation.id, { rateLimitBytes: null })
    return ended(installation, operation)
  }
  const cancelled = async (started: Promise<{ operation: Operation }>, rateBytes = RATE_BYTES) => {
    const operation = await halfWay(installation, started, rateBytes)
    await client.cancelOperation(operation.id)
    const end = await ended(installation, operation, 'cancelled')
    await expectAllClean()
    return end
  }

  const sha256 = await makeRawImage(join(folder, 'image.raw'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId }))

  const backUp = () => client.createBackup({ volumeId, target: 'cinder' })
  await expectNotFound(client.showBackup((await cancelled(backUp())).resourceId))
  const { resourceId: backupId } = await killed(backUp())
  await expectAllClean()

  const restore = () => client.createVolume({ backupId })
  await expectNotFound(client.showVolume((await cancelled(restore())).resourceId))
  expect(await sha256OfVolume(installation, (await killed(restore())).resourceId)).toBe(sha256)

  const copy = () => client.copyBackup(backupId, { target: 'local' })
  await expectNotFound(client.showBackup((await cancelled(copy())).resourceId))
  const { resourceId: copyId } = await killed(copy())
  const { backupKeyFile, targets } = installation.checked()
  if (targets.local === undefined) throw new Error('Expected a target')
  const key = { target: targets.local, backupKeyFile, domain: 'default', backupId: copyId }
  expect(await restoreSha256(key)).toBe(sha256)

  const verified = await killed(client.verifyBackup(backupId))
  expect(verified.result).toMatchObject({ damagedObjects: 0 })
  await expectLinksDeletable(shared, { killed, cancelled })
  await expectAllClean()
})

interface Endings {
  readonly killed: (started: Promise<{ operation: Operation }>, rateBytes: number) => Promise<Operation>
  readonly cancelled: (started: Promise<{ operation: Operation }>, rateBytes: number) => Promise<Operation>
}

/** Cinder restores every link that is left, after a deletion that was cancelled, and after one that was killed. */
async function expectLinksDeletable(shared: SharedBucket, { killed, cancelled }: Endings): Promise<void> {
  const { installation } = shared
  const { client } = installation
  const cinder = await shared.cinder()
  const path = await makeVolume(CHAIN_BYTES)
  const chain = await writeChain(cinder, await cinder.createVolume('root'), path)
  await ended(installation, client.cinder.scanTarget('cinder'))
  const expectRestorable = async () => {
    for (const { backupId, content } of chain) {
      await cinder.forget(backupId)
      const { backupService, backupUrl } = await client.cinder.exportRecord(backupId)
      await cinder.importRecord({ backup_service: backupService, backup_url: backupUrl })
      const restored = join(installation.folder, `restored-${backupId}`)
      await writeFile(restored, '')
      await truncate(restored, CHAIN_BYTES)
      await cinder.restore(backupId, restored)
      expect(await fileSha256(restored)).toBe(hash('sha256', content))
    }
  }
  // The slowest that may be asked for: objects have 1 MiB, and the full backup's are copied to the next.
  const full = chain[0]?.backupId ?? ''
  await cancelled(client.deleteBackup(full), MiB)
  expect(await client.showBackup(full)).toMatchObject({ status: 'available' })
  await expectRestorable()
  await killed(client.deleteBackup(full), MiB)
  chain.shift()
  await expectRestorable()
}

async function halfWay(
  { client }: Installation,
  started: Promise<{ operation: Operation }>,
  rateLimitBytes: number,
): Promise<Operation> {
  const { operation } = await started
  await client.changeOperation(operation.id, { rateLimitBytes })
  await until(
    'it is half-way',
    async () => {
      const { doneBytes, totalBytes } = await client.showOperation(operation.id)
      return totalBytes > 0 && doneBytes > totalBytes / 3
    },
    120_000,
    50,
  )
  return operation
}
