import { randomBytes } from 'node:crypto'
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  CinderBackupReader,
  type CinderLayout,
  cinderLayoutOf,
  type CinderSource,
} from '../../../backup-format/cinder/backup-reader.ts'
import { changedBlocks } from '../../../backup-format/cinder/changed-blocks.ts'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { commitBackup } from '../../../backup-format/commit.ts'
import { createOrOpenRepository } from '../../../backup-format/repository.ts'
import { uploadBackup, uploadFrom } from '../../../backup-format/upload.ts'
import type { UploadRequest } from '../../../backup-format/upload-request.ts'
import { openTarget, targetFactoryUrl } from '../../../drivers/backups/registry.ts'
import { openCinderStore, storeFactoryUrl } from '../../../drivers/cinder/registry.ts'
import { KiB, MiB } from '../../../domain/sizes.ts'
import { startCinder } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { keyring, keysOf, memoryRepository, restored, SHAPE, uploadRequest } from '../fixtures.ts'
import { type Link, locate, makeVolume, read, write, writeChain } from './fixtures.ts'

const SIZE = 5 * MiB

/** Written by Cinder once. */
const original = await tempDir()
let chain: Link[]
/** A second full backup of the volume, after the chain. */
let full: Link

beforeAll(async () => {
  await using cinder = await startCinder({ driver: 'posix', path: original })
  const volumeId = await cinder.createVolume('root')
  const path = await makeVolume(SIZE)
  chain = await writeChain(cinder, volumeId, path)
  await write(path, 3 * MiB + 7, randomBytes(10))
  const { backupId } = await cinder.backup({ volumeId, path })
  full = { backupId, content: await readFile(path) }
})

async function open(folder = original) {
  const store = openCinderStore({ driver: 'directory', path: folder })
  const spoolFolder = await tempDir()
  const layout = async (backupId = '') => cinderLayoutOf(store, await locate(store, backupId))
  const source = async (backupId: string): Promise<CinderSource> => ({
    kind: 'cinder-backup',
    from: { storeFactoryUrl, storeSpec: { driver: 'directory', path: folder } },
    layout: await layout(backupId),
    spoolFolder,
  })
  return { store, layout, source, spoolFolder }
}

const about = { path: '', bytes: { length: SIZE } }

/** Counts what is fetched of volume data. */
function counting(store: CinderStore): { store: CinderStore; fetched: string[] } {
  const fetched: string[] = []
  const get: CinderStore['get'] = (key, ...rest) => {
    if (/-\d{5}$/.test(key)) fetched.push(key)
    return store.get(key, ...rest)
  }
  return { store: { ...store, get }, fetched }
}

describe('a chain that Cinder wrote, copied link by link', () => {
  it('becomes backups of ours, each with the bytes of its link; the next one moves only what differs', async () => {
    const { store, layout, source } = await open()
    const { repository, target } = await memoryRepository()
    let parent: { copy: string; layout: CinderLayout } | undefined
    const stored: number[] = []
    for (const { backupId, content } of [...chain, full]) {
      const request = uploadRequest(about, {
        source: await source(backupId),
        ...(parent && {
          parentBackupId: parent.copy,
          changedRanges: await changedBlocks(store, parent.layout, await layout(backupId)),
        }),
      })
      const { totals } = await uploadBackup(repository, request)
      await commitBackup(repository, request)
      stored.push(totals.newChunks)
      expect((await restored(repository, request.backupId, SIZE)).equals(content)).toBe(true)
      parent = { copy: request.backupId, layout: await layout(backupId) }
    }
    // 2 MiB and a bit of data; then 100 and 64 KiB; zeroes, and what they left of a chunk; 20 bytes over two chunks; 10 bytes.
    const [first = 0, ...next] = stored
    expect(first).toBeGreaterThan(30)
    expect(next).toEqual([expect.any(Number), expect.any(Number), expect.any(Number), 1])
    expect(Math.max(...next)).toBeLessThanOrEqual(4)
    expect(keysOf(target, '/c/').length).toBe(first + next.reduce((sum, count) => sum + count, 0))
  })

  it('tells what differs between any two links, blocks that became zeroes included, and fetches no other objects', async () => {
    const { store, layout, spoolFolder } = await open()
    const [one, two] = [await layout(chain[1]?.backupId), await layout(chain[2]?.backupId)]
    const changed = await changedBlocks(store, one, two)
    if (changed === 'unknown') throw new Error('Expected to know')
    const differs = Array.from({ length: SIZE / (32 * KiB) }, (_, block) => block * 32 * KiB).filter((at) => {
      const of = (link?: Link) => link?.content.subarray(at, at + 32 * KiB) ?? Buffer.of()
      return !of(chain[1]).equals(of(chain[2]))
    })
    const told = changed.flatMap(({ offset, length }) =>
      Array.from({ length: length / (32 * KiB) }, (_, block) => offset + block * 32 * KiB),
    )
    expect(told).toEqual(differs)
    expect(differs).toContain(4 * MiB)
    expect(await changedBlocks(store, one, one)).toEqual([])

    const { repository } = await memoryRepository()
    const firstCopy = uploadRequest(about, { source: { kind: 'file', path: '', sizeBytes: SIZE } })
    const whole = new CinderBackupReader(store, one, { spoolFolder })
    await uploadFrom(repository, firstCopy, whole)
    await whole.close()
    await commitBackup(repository, firstCopy)
    const counted = counting(store)
    const reader = new CinderBackupReader(counted.store, two, { spoolFolder })
    const next = { changedRanges: changed, parentBackupId: firstCopy.backupId }
    await uploadFrom(repository, uploadRequest(about, next), reader)
    await reader.close()
    const { metadata } = await read(store, chain[0]?.backupId ?? '')
    const untouched = metadata.objects.filter(({ offset }) => [2 * MiB, 3 * MiB].includes(offset))
    expect(untouched).toHaveLength(2)
    for (const { name } of untouched) expect(counted.fetched.join()).not.toContain(name)
  })

  it('is read on a thread of its own', async () => {
    const { source } = await open()
    const folder = await tempDir()
    const targetSpec = { driver: 'directory', path: folder } as const
    const repository = await createOrOpenRepository(openTarget(targetSpec), keyring(), SHAPE)
    const { backupId = '', content } = chain.at(-1) ?? {}
    const threads = { count: 1, targetFactoryUrl, targetSpec }
    const request = uploadRequest(about, { source: await source(backupId), threads })
    await uploadBackup(repository, request)
    await commitBackup(repository, request)
    expect((await restored(repository, request.backupId, SIZE)).equals(content ?? Buffer.of())).toBe(true)
  })

  it('goes on after an interruption, and stores nothing twice', async () => {
    const { source } = await open()
    const { repository, target } = await memoryRepository()
    const { backupId = '', content } = chain.at(-1) ?? {}
    const stop = new AbortController()
    const request: UploadRequest = uploadRequest(about, { source: await source(backupId), journalChunks: 10 })
    const interrupted = uploadBackup(repository, {
      ...request,
      signal: stop.signal,
      onProgress: ({ chunksStored }) => {
        if (chunksStored >= 15) stop.abort(new Error('stopped'))
      },
    })
    await expect(interrupted).rejects.toThrow('stopped')
    const before = keysOf(target, '/c/').length
    const { redoneChunks } = await uploadBackup(repository, { ...request, writerToken: 2 })
    expect(before).toBeGreaterThanOrEqual(15)
    expect(redoneChunks).toBeLessThanOrEqual(10)
    await commitBackup(repository, request)
    expect((await restored(repository, request.backupId, SIZE)).equals(content ?? Buffer.of())).toBe(true)
  })

  it('is refused with the name of an object that is damaged, and nothing is committed', async () => {
    const folder = await tempDir()
    await cp(original, folder, { recursive: true })
    const { source, store } = await open(folder)
    const { backupId = '' } = chain.at(-1) ?? {}
    const { location, metadata } = await read(store, chain[0]?.backupId ?? '')
    const name = metadata.objects[2]?.name ?? ''
    const file = join(folder, location.folder, name)
    const bytes = await readFile(file)
    await writeFile(file, bytes.subarray(0, bytes.length - 4))
    const { repository } = await memoryRepository()
    const request = uploadRequest(about, { source: await source(backupId) })
    const expected = { kind: 'corrupt', message: expect.stringContaining(name) as string }
    await expect(uploadBackup(repository, request)).rejects.toMatchObject(expected)
    await rm(file)
    await expect(uploadBackup(repository, { ...request, writerToken: 2 })).rejects.toMatchObject(expected)
  })
})

describe("a reader of a backup in Cinder's format", () => {
  it('gives any bytes in any order, however few objects it may keep, and leaves no file', async () => {
    const { store, layout, spoolFolder } = await open()
    for (const { backupId, content } of chain) {
      for (const objectsMax of [1, 3, 256]) {
        const reader = new CinderBackupReader(store, await layout(backupId), { spoolFolder, objectsMax })
        const reads = Array.from({ length: 40 }, async () => {
          const offset = Math.floor(Math.random() * SIZE)
          const buffer = Buffer.alloc(Math.min(SIZE - offset, 1 + Math.floor(Math.random() * 300 * KiB)))
          await reader.read(buffer, offset)
          expect(buffer.equals(content.subarray(offset, offset + buffer.length))).toBe(true)
        })
        await Promise.all(reads)
        await expect(reader.read(Buffer.alloc(2), SIZE - 1)).rejects.toMatchObject({ kind: 'invalid' })
        await reader.close()
      }
    }
    expect(await readdir(spoolFolder)).toEqual([])
  })

  it('fetches each object once when it is read forward', async () => {
    const { store, layout, spoolFolder } = await open()
    const counted = counting(store)
    const reader = new CinderBackupReader(counted.store, await layout(chain.at(-1)?.backupId), {
      spoolFolder,
    })
    for (let offset = 0; offset < SIZE; offset += 64 * KiB) await reader.read(Buffer.alloc(64 * KiB), offset)
    await reader.close()
    expect(new Set(counted.fetched).size).toBe(counted.fetched.length)
  })

  it('gives up what is in work when it is closed', async () => {
    const { store, layout, spoolFolder } = await open()
    const reader = new CinderBackupReader(store, await layout(chain[0]?.backupId), { spoolFolder })
    const reading = reader.read(Buffer.alloc(MiB), 0)
    await Promise.all([expect(reading).rejects.toThrow(), reader.close()])
    await expect(reader.read(Buffer.alloc(1), 0)).rejects.toThrow()
  })
})
