import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import type { WrittenCompression } from '../../../backup-format/cinder/chunk-upload.ts'
import { commitCinderBackup } from '../../../backup-format/cinder/commit.ts'
import { decodeRecord } from '../../../domain/cinder-record.ts'
import { newLocation } from '../../../domain/cinder-names.ts'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { type CinderUploadRequest, uploadCinderBackup } from '../../../backup-format/cinder/upload.ts'
import { openCinderStore } from '../../../drivers/cinder/registry.ts'
import { KiB, MiB } from '../../../domain/sizes.ts'
import { startCinder } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { makeVolume, restored, write } from './fixtures.ts'
import { recordOf, restoredByCinder } from './through-cinder.ts'

const SIZE = 5 * MiB
const CREATED_AT = '2026-11-20T13:41:09.123Z'
const SIGNAL = new AbortController().signal

async function upload(
  store: CinderStore,
  path: string,
  options: Partial<CinderUploadRequest> = {},
): Promise<string> {
  const backupId = options.location?.backupId ?? randomUUID()
  const location = newLocation(store.kind, { volumeId: randomUUID(), backupId, createdAt: CREATED_AT })
  const request: CinderUploadRequest = {
    location,
    name: 'ours',
    description: 'mit Ümläuten',
    createdAt: CREATED_AT,
    volumeMeta: null,
    source: { kind: 'file', path, sizeBytes: SIZE },
    sizeBytes: SIZE,
    compression: 'zstd',
    chunkBytes: MiB,
    spoolFolder: await tempDir(),
    signal: SIGNAL,
    ...options,
  }
  await uploadCinderBackup(store, request)
  await commitCinderBackup(store, request.location)
  return backupId
}

describe('in a folder that Cinder uses', async () => {
  const folder = await tempDir()
  const store = openCinderStore({ driver: 'directory', path: folder })
  const cinder = await startCinder({ driver: 'posix', path: folder })

  it.each<WrittenCompression>(['zstd', 'zlib', 'none'])(
    'a backup written with %s is imported and restored by Cinder itself',
    async (compression) => {
      const path = await makeVolume(SIZE)
      const backupId = await upload(store, path, { compression })
      const row = await cinder.importRecord(await recordOf(store, backupId))
      expect(row).toMatchObject({ status: 'available', objectCount: 5, name: 'ours', sizeGiB: 1 })
      expect((await restoredByCinder(cinder, backupId)).equals(await readFile(path))).toBe(true)
    },
  )

  it('Cinder makes an incremental backup on one of ours, and we restore it', async () => {
    const path = await makeVolume(SIZE)
    const volumeId = await cinder.createVolume('root')
    const ids = { volumeId, backupId: randomUUID() }
    const location = newLocation('directory', { ...ids, createdAt: CREATED_AT })
    const parentId = await upload(store, path, { location })
    await cinder.importRecord(await recordOf(store, parentId))
    await write(path, 3 * MiB, Buffer.alloc(40 * KiB, 'new '))
    const incremental = await cinder.backup({ volumeId, path, parentId, compression: 'zstd' })
    expect(incremental.objectCount).toBe(1)
    expect((await restoredByCinder(cinder, incremental.backupId)).equals(await readFile(path))).toBe(true)
    expect((await restored(store, incremental.backupId)).equals(await readFile(path))).toBe(true)
  })

  it('an interrupted upload is continued, and stores nothing twice', async () => {
    const path = await makeVolume(SIZE)
    const location = newLocation('directory', {
      volumeId: randomUUID(),
      backupId: randomUUID(),
      createdAt: CREATED_AT,
    })
    const stop = new AbortController()
    const onProgress = ({ doneBytes }: { doneBytes: number }) => {
      if (doneBytes >= 2 * MiB) stop.abort(new Error('stopped'))
    }
    await expect(upload(store, path, { location, signal: stop.signal, onProgress })).rejects.toThrow(
      'stopped',
    )
    const puts: string[] = []
    const watched: CinderStore = {
      ...store,
      put: (key, ...rest) => {
        puts.push(key)
        return store.put(key, ...rest)
      },
    }
    const backupId = await upload(watched, path, { location })
    expect(puts.filter((key) => /-\d{5}$/.test(key)).length).toBeLessThanOrEqual(3)
    await cinder.importRecord(await recordOf(store, backupId))
    expect((await restoredByCinder(cinder, backupId)).equals(await readFile(path))).toBe(true)
  })

  it("reads the records that Cinder exports, and writes what Cinder's import reads back", async () => {
    const path = await makeVolume(SIZE)
    const volumeId = await cinder.createVolume('root')
    const { backupId, prefix, container } = await cinder.backup({ volumeId, path })
    const record = await cinder.exportRecord(backupId)
    expect(decodeRecord('directory', record.backup_url)).toEqual({
      ...{ folder: `${container}/`, prefix, volumeId, backupId },
    })
    const ours = await recordOf(store, backupId)
    await cinder.forget(backupId)
    expect(await cinder.importRecord(ours)).toMatchObject({ prefix, container, parentId: null })
  })
})
