import { randomUUID } from 'node:crypto'
import { readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { commitCinderBackup } from '../../../backup-format/cinder/commit.ts'
import { uploadCinderBackup } from '../../../backup-format/cinder/upload.ts'
import { openCinderStore } from '../../../drivers/cinder/registry.ts'
import { type BackupLocation, metadataKey, newLocation } from '../../../domain/cinder-names.ts'
import { MiB } from '../../../domain/sizes.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { makeVolume, restored } from './fixtures.ts'

interface Metadata {
  parent_id: string | null
  objects: Record<string, { offset: number; length: number; compression: string; md5: string }>[]
}

/** A good backup of three objects in a folder, and ways to spoil it. */
async function makeBackup() {
  const folder = await tempDir()
  const store = openCinderStore({ driver: 'directory', path: folder })
  const ids = { volumeId: randomUUID(), backupId: randomUUID() }
  const location: BackupLocation = newLocation('directory', { ...ids, createdAt: '2026-11-20T13:41:09Z' })
  const path = await makeVolume(3 * MiB)
  await uploadCinderBackup(store, {
    ...{ location, name: null, description: null, volumeMeta: null, createdAt: '2026-11-20T13:41:09Z' },
    ...{ source: { kind: 'file', path, sizeBytes: 3 * MiB }, sizeBytes: 3 * MiB },
    ...{ compression: 'zlib', chunkBytes: MiB, spoolFolder: await tempDir() },
    signal: new AbortController().signal,
  })
  await commitCinderBackup(store, location)
  const file = join(folder, metadataKey(location))
  const spoil = async (change: (metadata: Metadata) => void) => {
    const metadata: Metadata = JSON.parse(await readFile(file, 'utf8'))
    change(metadata)
    await writeFile(file, JSON.stringify(metadata))
  }
  const object = (number: number) => join(folder, location.folder, `${location.prefix}-0000${number}`)
  const restore = () => restored(store, ids.backupId, { sizeBytes: 3 * MiB })
  return { ...ids, folder, location, path, spoil, object, restore }
}

const CORRUPT = { name: 'DriverError', kind: 'corrupt' }

it('a good one is restored, and so is one with an object too many', async () => {
  const { restore, object, path } = await makeBackup()
  await writeFile(object(9), 'left by an interrupted merge')
  expect((await restore()).equals(await readFile(path))).toBe(true)
})

it("an object that is not the backup's own is not read", async () => {
  const { restore, spoil } = await makeBackup()
  await spoil(({ objects }) => {
    const [first] = Object.values(objects[0] ?? {})
    if (first !== undefined) objects[0] = { '../../../etc/passwd': first }
  })
  await expect(restore()).rejects.toMatchObject(CORRUPT)
})

it('an object that becomes more than it says is stopped', async () => {
  const { restore, object } = await makeBackup()
  await writeFile(object(3), deflateSync(Buffer.alloc(200 * MiB)))
  await expect(restore()).rejects.toMatchObject(CORRUPT)
})

it('a link to a file elsewhere counts as nothing', async () => {
  const { restore, object, path } = await makeBackup()
  await rm(object(1))
  await symlink(path, object(1))
  await expect(restore()).rejects.toMatchObject(CORRUPT)
})

it.each<[string, (metadata: Metadata, backupId: string) => void]>([
  ['its own parent', (metadata, backupId) => (metadata.parent_id = backupId)],
  ['a parent that is not there', (metadata) => (metadata.parent_id = randomUUID())],
  ['a hole where an object is missing', ({ objects }) => void objects.splice(1, 1)],
  [
    'another md5',
    ({ objects }) => Object.values(objects[2] ?? {}).forEach((one) => (one.md5 = '0'.repeat(32))),
  ],
  ['objects of no size', ({ objects }) => Object.values(objects[0] ?? {}).forEach((one) => (one.length = 0))],
  [
    'a compression of its own',
    ({ objects }) => Object.values(objects[0] ?? {}).forEach((one) => (one.compression = 'xz')),
  ],
])('metadata with %s are refused', async (_, change) => {
  const { restore, spoil, backupId } = await makeBackup()
  await spoil((metadata) => change(metadata, backupId))
  await expect(restore()).rejects.toMatchObject(CORRUPT)
})

it('bytes that have their md5, but not the hash of the volume, are refused', async () => {
  const { restore, folder, location } = await makeBackup()
  const file = join(folder, `${location.folder}${location.prefix}_sha256file`)
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace(/"[0-9a-f]{64}"/, `"${'0'.repeat(64)}"`))
  await expect(restore()).rejects.toMatchObject(CORRUPT)
})
