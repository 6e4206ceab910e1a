import { randomBytes, randomUUID } from 'node:crypto'
import { readFile, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { abortBackup } from '../../backup-format/abort.ts'
import { collect } from '../../backup-format/collect.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { listBackups, readRecord } from '../../backup-format/record.ts'
import { sealedMaxBytes } from '../../backup-format/envelope.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { restoreBackup } from '../../backup-format/restore.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { MiB } from '../../domain/sizes.ts'
import { openTarget, targetFactoryUrl } from '../../drivers/backups/registry.ts'
import { MemoryTarget } from './memory-target.ts'
import { tempDir } from '../support/temp-dir.ts'
import {
  backUp,
  DOMAIN,
  keysOf,
  makeImage,
  keyring,
  memoryRepository,
  overwrite,
  restored,
  SHAPE,
  uploadRequest,
  writeImage,
} from './fixtures.ts'

const CHUNK = SHAPE.chunkBytes
const signal = new AbortController().signal

describe('a full backup', () => {
  it('restores to the same bytes', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('rt..r.tr..........rt')
    const { backupId, totals } = await backUp(repository, image)
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
    expect(totals).toMatchObject({ dataChunks: 7, newChunks: 7 })
  })

  it('may end with a part of a chunk', async () => {
    const { repository } = await memoryRepository()
    const image = await writeImage(randomBytes(3 * CHUNK + 4096))
    const { backupId } = await backUp(repository, image)
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })

  it('stores no object for zeroes, and one for chunks that are the same', async () => {
    const { repository, target } = await memoryRepository()
    const chunk = randomBytes(CHUNK)
    const image = await writeImage(Buffer.concat([chunk, Buffer.alloc(CHUNK), chunk, chunk]))
    const { totals } = await backUp(repository, image)
    expect(keysOf(target, '/c/')).toHaveLength(1)
    expect(totals.dataChunks).toBe(3)
    const empty = await backUp(repository, await writeImage(Buffer.alloc(20 * CHUNK)))
    expect((await readRecord(repository, DOMAIN, empty.backupId))?.value.pages).toEqual([null, null, null])
  })

  it('stores chunks as they are when nothing shall be compressed, and smaller the higher the level', async () => {
    const image = await writeImage(Buffer.from(randomBytes(4 * CHUNK).map((byte) => 97 + (byte % 4))))
    const storedBytes = async (compressionLevel: number) => {
      const { repository } = await memoryRepository()
      const { backupId, totals } = await backUp(repository, image, { compressionLevel })
      expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
      return totals.newObjectBytes
    }
    expect(await storedBytes(0)).toBe(4 * sealedMaxBytes(CHUNK))
    const fast = await storedBytes(1)
    expect(fast).toBeLessThan(2 * CHUNK)
    expect(await storedBytes(19)).toBeLessThan(fast)
  })

  it('leaves the zeroes within a chunk unwritten in a new volume', async () => {
    const repository = await createOrOpenRepository(new MemoryTarget(), keyring())
    const bytes = Buffer.alloc(repository.chunkBytes)
    bytes.write('data', MiB)
    const { backupId } = await backUp(repository, await writeImage(bytes))
    const destination = { kind: 'file', path: join(await tempDir(), 'new'), sizeBytes: bytes.length } as const
    await writeFile(destination.path, '')
    await truncate(destination.path, bytes.length)
    const request = { domain: DOMAIN, backupId, destination, freshTarget: true, signal }
    const { movedBytes } = await restoreBackup(repository, request)
    expect((await readFile(destination.path)).equals(bytes)).toBe(true)
    expect(movedBytes).toBeLessThan(MiB)
    expect((await stat(destination.path)).blocks * 512).toBeLessThan(MiB)
  })

  it('runs on worker threads with a directory as its target', async () => {
    const path = await tempDir()
    const targetSpec = { driver: 'directory', path } as const
    const threads = { targetFactoryUrl, targetSpec, count: 2 }
    const repository = await createOrOpenRepository(openTarget(targetSpec), keyring())
    const image = await makeImage('r..tr', repository.chunkBytes)
    const { backupId } = await backUp(repository, image, { threads })
    const destination = { kind: 'file', path: join(path, 'restored'), sizeBytes: image.bytes.length } as const
    await writeFile(destination.path, Buffer.alloc(image.bytes.length, 1))
    await restoreBackup(repository, {
      domain: DOMAIN,
      backupId,
      destination,
      freshTarget: false,
      signal,
      threads,
    })
    expect((await readFile(destination.path)).equals(image.bytes)).toBe(true)
  })
})

describe('an incremental backup', () => {
  it('stores what changed, is complete in itself, and survives the deletion of its parent', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('rrrrrrrrrrrr')
    const full = await backUp(repository, image)
    const before = keysOf(target, '/c/').length
    await overwrite(image, 2 * CHUNK + 17, randomBytes(5))
    const incremental = await backUp(repository, image, { parentBackupId: full.backupId })
    expect(keysOf(target, '/c/')).toHaveLength(before + 1)
    expect(incremental.totals).toMatchObject({ dataChunks: 12, newChunks: 1 })
    await deleteBackup(repository, { domain: DOMAIN, backupId: full.backupId })
    await collect(repository)
    expect((await restored(repository, incremental.backupId, image.bytes.length)).equals(image.bytes)).toBe(
      true,
    )
  })

  it('reads only the chunks that the list of changes names', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('rrrr.rrrrrrr')
    const full = await backUp(repository, image)
    await overwrite(image, CHUNK, randomBytes(CHUNK))
    await overwrite(image, 9 * CHUNK, randomBytes(CHUNK))
    const incremental = await backUp(repository, image, {
      parentBackupId: full.backupId,
      changedRanges: [{ offset: 9 * CHUNK + 100, length: 1 }],
    })
    const bytes = await restored(repository, incremental.backupId, image.bytes.length)
    expect(incremental.totals.newChunks).toBe(1)
    expect(bytes.subarray(9 * CHUNK, 10 * CHUNK).equals(image.bytes.subarray(9 * CHUNK, 10 * CHUNK))).toBe(
      true,
    )
    // Chunk 1 changed too, but nobody said so.
    expect(bytes.subarray(CHUNK, 2 * CHUNK).equals(image.bytes.subarray(CHUNK, 2 * CHUNK))).toBe(false)
  })

  it('reads the chunk with the old end again after the volume has grown', async () => {
    const { repository } = await memoryRepository()
    const old = await writeImage(randomBytes(2 * CHUNK + 4096))
    const full = await backUp(repository, old)
    const grown = await writeImage(Buffer.concat([old.bytes, randomBytes(2 * CHUNK)]))
    const { backupId } = await backUp(repository, grown, {
      parentBackupId: full.backupId,
      changedRanges: [],
    })
    expect((await restored(repository, backupId, grown.bytes.length)).equals(grown.bytes)).toBe(true)
  })

  it('is a full one when its parent is gone', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('rrr')
    const { backupId, totals } = await backUp(repository, image, {
      parentBackupId: randomUUID(),
      changedRanges: [],
    })
    expect(totals.newChunks).toBe(3)
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })
})

describe('a backup', () => {
  it('does not exist before its commit, and committing again is fine', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('rr')
    const request = uploadRequest(image)
    await uploadBackup(repository, request)
    await expect(restored(repository, request.backupId, image.bytes.length)).rejects.toMatchObject({
      kind: 'busy',
    })
    const first = await commitBackup(repository, request)
    expect(await commitBackup(repository, request)).toEqual(first)
    expect(await abortBackup(repository, request)).toBe('committed')
  })

  it('cannot be committed or continued once it was aborted', async () => {
    const { repository, target } = await memoryRepository()
    const request = uploadRequest(await makeImage('rr'))
    await uploadBackup(repository, request)
    expect(await abortBackup(repository, request)).toBe('aborted')
    expect(await abortBackup(repository, request)).toBe('aborted')
    await expect(commitBackup(repository, request)).rejects.toMatchObject({ kind: 'invalid' })
    await expect(uploadBackup(repository, { ...request, writerToken: 2 })).rejects.toMatchObject({
      kind: 'invalid',
    })
    expect(keysOf(target, '/j/')).toEqual([])
  })

  it('is gone after its deletion, which may be repeated', async () => {
    const { repository, target } = await memoryRepository()
    const { backupId } = await backUp(repository, await makeImage('rr'))
    expect(await listBackups(repository, DOMAIN)).toMatchObject([{ backupId, state: 'committed' }])
    await deleteBackup(repository, { domain: DOMAIN, backupId })
    await deleteBackup(repository, { domain: DOMAIN, backupId })
    expect(await listBackups(repository, DOMAIN)).toEqual([])
    expect(await collect(repository)).toMatchObject({
      outcome: 'done',
      accounts: { deleted: { objects: 3 } },
    })
    expect(keysOf(target, '')).toEqual([
      expect.stringMatching(/^keys\//),
      ...['repo.json', 'state', `domains/${DOMAIN}`, `d/${DOMAIN}/key`],
    ])
  })

  it('shares no chunk with another project', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('r')
    await backUp(repository, image)
    await backUp(repository, image, { domain: 'project-2' })
    const names = keysOf(target, '/c/').map((key) => key.split('/').at(-1))
    expect(new Set(names).size).toBe(2)
  })

  it('cannot have a name that leaves its folder', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage('r')
    for (const name of ['..', '../x', 'a/b', '', 'A', 'x'.repeat(129), '.hidden', 'a\n', '%2e']) {
      await expect(backUp(repository, image, { backupId: name })).rejects.toMatchObject({ kind: 'invalid' })
      await expect(backUp(repository, image, { domain: name })).rejects.toMatchObject({ kind: 'invalid' })
    }
  })
})
