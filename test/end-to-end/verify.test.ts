import { cpSync } from 'node:fs'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { expectClean, findViolations } from '../checker/check.ts'
import { makeQcow2Image } from '../support/small-images.ts'
import { Installation } from './installation.ts'
import { ended, MiB, sha256OfVolume, until, uploadImage } from './steps.ts'

const CONTENT = { sizeBytes: 64 * MiB, data: [{ offset: MiB, length: 24 * MiB, seed: 1 }] }
const CHUNKS = 7

test('damage is found, the next backup heals it, and the backup is good again; verified by a restore, imported elsewhere', async () => {
  await using installation = await Installation.start({ s3: true })
  const { client, folder, dataFolder } = installation
  await makeQcow2Image(join(folder, 'image.qcow2'), CONTENT)
  const imageId = await uploadImage(installation, join(folder, 'image.qcow2'), 'qcow2')
  const { resourceId: volumeId } = await ended(installation, client.createVolume({ imageId, name: 'disk' }))
  const sha256 = await sha256OfVolume(installation, volumeId)
  const backup = { volumeId, name: 'monday', description: 'before it broke', metadata: { tier: 'gold' } }
  const { resourceId: backupId } = await ended(installation, client.createBackup(backup))
  const verified = async (level: 'presence' | 'content' | 'restore') =>
    (await ended(installation, client.verifyBackup(backupId, { level }))).result

  const good = { checkedChunks: CHUNKS, damagedChunks: 0, damagedPages: 0, damagedObjects: 0 }
  expect(await verified('presence')).toMatchObject(good)
  expect(await verified('content')).toMatchObject(good)
  expect(await verified('restore')).toMatchObject({ ...good, path: 'restore' })
  expect(await client.showBackup(backupId)).toMatchObject({
    status: 'available',
    verifyLevel: 'restore',
    damagedObjects: 0,
  })
  await expectClean(installation.checked())

  const [altered = '', missing = ''] = await chunksIn(join(dataFolder, 'backups'))
  const bytes = await readFile(altered)
  bytes.writeUInt8(bytes.readUInt8(1000) ^ 1, 1000)
  await writeFile(altered, bytes)
  await rm(missing)
  expect(await verified('presence')).toMatchObject({ damagedObjects: 1 })
  expect(await verified('content')).toMatchObject({ damagedObjects: 2 })
  expect(await client.showBackup(backupId)).toMatchObject({
    status: 'error',
    damagedObjects: 2,
    failReason: expect.stringContaining('2 of its objects') as string,
  })
  await expect(client.createVolume({ backupId })).rejects.toMatchObject({
    status: 409,
    code: 'invalidStatus',
  })
  expect((await findViolations(installation.checked())).join('\n')).toContain('damaged object')

  const healing = await ended(installation, client.createBackup({ volumeId, name: 'tuesday' }))
  expect(healing.result).toMatchObject({ healedObjects: 2, newChunks: 0 })
  await until(
    'it is verified again by itself',
    async () => (await client.showBackup(backupId)).status === 'available',
  )
  expect(await client.showBackup(backupId)).toMatchObject({ damagedObjects: 0, failReason: null })
  await expectClean(installation.checked())

  // A second site: the first copy is whole, the next one what differs; and the copy heals the original.
  const copied = await ended(installation, client.copyBackup(backupId, { target: 's3' }))
  expect(copied.result).toMatchObject({ path: 'full', newChunks: CHUNKS })
  const again = await ended(installation, client.copyBackup(healing.resourceId, { target: 's3' }))
  expect(again.result).toMatchObject({ path: 'incremental', scan: 'changed', newChunks: 0 })
  const fromCopy = await ended(installation, client.createVolume({ backupId: again.resourceId }))
  expect(await sha256OfVolume(installation, fromCopy.resourceId)).toBe(sha256)
  await rm((await chunksIn(join(dataFolder, 'backups')))[0] ?? '')
  const healed = client.verifyBackup(backupId, { healFromBackupId: copied.resourceId })
  expect((await ended(installation, healed)).result).toMatchObject({ damagedObjects: 0, healedChunks: 1 })
  await expectClean(installation.checked())
  await installation.stop()

  // Another installation, with another database, that has nothing but the target and its key.
  await using other = await Installation.start({
    prepare: (newFolder) => {
      cpSync(join(dataFolder, 'backups'), join(newFolder, 'backups'), { recursive: true })
      cpSync(join(dataFolder, 'keys'), join(newFolder, 'keys'), { recursive: true })
      return () => undefined
    },
  })
  const imported = async () => (await ended(other, other.client.importTarget('local'))).result
  expect(await imported()).toMatchObject({ imported: 2, known: 0, unreadable: 0 })
  expect(await imported()).toMatchObject({ imported: 0, known: 2, unreadable: 0 })
  expect(await other.client.showBackup(backupId)).toMatchObject({
    ...{ ...backup, status: 'available', incremental: false, sizeBytes: CONTENT.sizeBytes },
  })
  const restored = await ended(other, other.client.createVolume({ backupId }))
  expect(await sha256OfVolume(other, restored.resourceId)).toBe(sha256)
  await expectClean(other.checked())
}, 300_000)

async function chunksIn(target: string): Promise<string[]> {
  const names = await readdir(target, { recursive: true })
  return names
    .filter((name) => /\/c\/[0-9a-f]{2}\/[0-9a-f]{64}\.\d+$/.test(name))
    .map((name) => join(target, name))
}
