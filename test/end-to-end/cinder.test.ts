import { truncate, writeFile } from 'node:fs/promises'
import { hash } from 'node:crypto'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeVolume, read, writeChain } from '../backup-format/cinder/fixtures.ts'
import { openCinderStore } from '../../drivers/cinder/registry.ts'
import { expectClean } from '../checker/check.ts'
import type { S3Place } from '../checker/installation.ts'
import { fileSha256 } from '../checker/volume-sha256.ts'
import { makeRawImage } from '../support/small-images.ts'
import type { CinderService, ExportedRecord } from '../support/cinder/cinder-service.ts'
import { startWithCinder } from './cinder-place.ts'
import type { Installation } from './installation.ts'
import { ended, expectNotFound, MiB, sha256OfVolume, uploadImage } from './steps.ts'

const SIZE_BYTES = 5 * MiB

test('what Cinder backed up is found without its database, restored, and loses any of its links', async () => {
  const shared = await startWithCinder()
  const { installation } = shared
  const { client } = installation
  const cinder = await shared.cinder()
  const path = await makeVolume(SIZE_BYTES)
  const chain = await writeChain(cinder, await cinder.createVolume('root'), path)
  const sha256 = chain.map(({ content }) => hash('sha256', content))
  const [full, first, second, third] = chain.map(({ backupId }) => backupId)
  if (full === undefined || first === undefined || second === undefined || third === undefined)
    throw new Error('Expected four backups')

  const scanned = await ended(installation, client.cinder.scanTarget('cinder'))
  expect(scanned.result).toMatchObject({ found: 4, added: 4, damaged: 0 })
  expect((await ended(installation, client.cinder.scanTarget('cinder'))).result).toMatchObject({ added: 0 })
  expect(await client.showBackup(second)).toMatchObject({
    ...{ status: 'available', format: 'cinder', incremental: true, parentId: first, sizeBytes: SIZE_BYTES },
    name: 'link 2',
  })

  for (const [index, backupId] of [full, second, third].entries()) {
    const restored = await ended(installation, client.createVolume({ backupId }))
    expect(await sha256OfVolume(installation, restored.resourceId)).toBe(sha256[[0, 2, 3][index] ?? 0])
  }

  const verified = async (backupId: string, level: 'presence' | 'content' | 'restore') =>
    (await ended(installation, client.verifyBackup(backupId, { level }))).result
  for (const level of ['presence', 'content', 'restore'] as const)
    expect(await verified(third, level)).toMatchObject({ path: level, damagedObjects: 0, unknownObjects: 0 })
  expect(await client.showBackup(third)).toMatchObject({ verifyLevel: 'restore', damagedObjects: 0 })
  await expect(client.verifyBackup(third, { level: 'quarantined' })).rejects.toMatchObject({
    status: 400,
    code: 'otherFormat',
  })

  // Imported: the first copy is whole, the next one what differs. Zeroes do not come back to what they replaced.
  const copies: string[] = []
  for (const [index, backupId] of [full, second, third].entries()) {
    const { resourceId, result } = await ended(installation, client.copyBackup(backupId, { target: 'local' }))
    const path = index === 0 ? { path: 'full' } : { path: 'incremental', scan: 'changed' }
    expect(result).toMatchObject(path)
    if (index > 0) expect(Number(result?.movedBytes)).toBeLessThan(MiB)
    expect(await client.showBackup(resourceId)).toMatchObject({ format: 'volflow', sourceBackupId: backupId })
    copies.push(resourceId)
  }
  for (const [index, backupId] of copies.entries()) {
    const restored = await ended(installation, client.createVolume({ backupId }))
    expect(await sha256OfVolume(installation, restored.resourceId)).toBe(sha256[[0, 2, 3][index] ?? 0])
  }

  await ended(installation, client.deleteBackup(first))
  await ended(installation, client.deleteBackup(full))
  await expectNotFound(client.showBackup(full))
  expect(await client.showBackup(second)).toMatchObject({ incremental: false, parentId: null })
  for (const [backupId, expected] of [
    [second, sha256[2]],
    [third, sha256[3]],
  ] as const) {
    await cinder.forget(backupId)
    await cinder.importRecord(await recordOf(installation, backupId))
    expect(await restoredByCinder(cinder, installation, backupId)).toBe(expected)
  }
  await expectClean(installation.checked({ cinderTargets: { cinder: shared.place } }))

  const name = await loseAnObject(shared.place, second)
  expect(await verified(third, 'presence')).toMatchObject({ damagedObjects: 1 })
  expect(await client.showBackup(third)).toMatchObject({
    status: 'error',
    failReason: expect.stringContaining(`missing: ${name}, bytes `) as string,
  })
}, 400_000)

test('what volflow backs up for Cinder, Cinder restores, and makes incremental backups on', async () => {
  const shared = await startWithCinder()
  const { installation } = shared
  const { client, folder } = installation
  const content = { sizeBytes: 70 * MiB, data: [{ offset: MiB, length: 60 * MiB, seed: 7 }] }
  const sha256 = await makeRawImage(join(folder, 'image.raw'), content)
  const imageId = await uploadImage(installation, join(folder, 'image.raw'), 'raw')
  const volume = await ended(installation, client.createVolume({ imageId, name: 'root' }))
  const input = { volumeId: volume.resourceId, target: 'cinder', name: 'for Cinder' }
  const backup = await ended(installation, client.createBackup(input))
  expect(await client.showBackup(backup.resourceId)).toMatchObject({ objectCount: 2, format: 'cinder' })

  const cinder = await shared.cinder()
  const row = await cinder.importRecord(await recordOf(installation, backup.resourceId))
  expect(row).toMatchObject({ status: 'available', objectCount: 2, name: 'for Cinder' })
  expect(await restoredByCinder(cinder, installation, backup.resourceId)).toBe(sha256)
  await expectClean(installation.checked({ cinderTargets: { cinder: shared.place } }))
}, 400_000)

/** Of the backup's objects the last one. */
async function loseAnObject(place: S3Place, backupId: string): Promise<string> {
  const store = openCinderStore({ ...place, driver: 's3' })
  const { location, metadata } = await read(store, backupId)
  const name = metadata.objects.at(-1)?.name ?? ''
  await store.delete(`${location.folder}${name}`)
  await store.close()
  return name
}

async function recordOf(installation: Installation, backupId: string): Promise<ExportedRecord> {
  const { backupService, backupUrl } = await installation.client.cinder.exportRecord(backupId)
  return { backup_service: backupService, backup_url: backupUrl }
}

async function restoredByCinder(
  cinder: CinderService,
  { folder }: Installation,
  backupId: string,
): Promise<string> {
  const path = join(folder, `restored-${backupId}`)
  await writeFile(path, '')
  await truncate(path, SIZE_BYTES)
  await cinder.restore(backupId, path)
  return fileSha256(path)
}
