import { describe, expect, it } from 'vitest'
import { collect } from '../../backup-format/collect.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { readQuarantined } from '../../backup-format/quarantine.ts'
import type { Repository } from '../../backup-format/repository.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { verifyBackup } from '../../backup-format/verify.ts'
import type { VerifyFindings, VerifyRequest } from '../../backup-format/verify-request.ts'
import { writeFile } from 'node:fs/promises'
import {
  backUp,
  bufferReader,
  DOMAIN,
  type Image,
  keysOf,
  makeImage,
  memoryRepository,
  overwrite,
  restored,
  SHAPE,
  uploadRequest,
} from './fixtures.ts'
import type { MemoryTarget } from './memory-target.ts'

const IMAGE = 'rtrt.rrr'.repeat(2)
const CHUNKS = 14

function verify(
  repository: Repository,
  backupId: string,
  more: Partial<VerifyRequest> = {},
): Promise<VerifyFindings> {
  return verifyBackup(repository, {
    domain: DOMAIN,
    backupId,
    level: 'content',
    samplePercent: 100,
    seed: 'seed',
    resumeFromBytes: 0,
    signal: new AbortController().signal,
    pace: async () => {},
    onProgress: () => {},
    onCheckpoint: async () => {},
    ...more,
  })
}

function flip(target: MemoryTarget, key: string): void {
  const bytes = Buffer.from(target.objects.get(key) ?? Buffer.alloc(0))
  const at = bytes.length >> 1
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
  target.objects.set(key, bytes)
}

const markers = async (repository: Repository) => {
  const { chunk, page } = await readQuarantined(repository, DOMAIN)
  return { chunks: chunk.size, pages: page.size }
}

describe('a verification', () => {
  it('finds nothing in a good backup, at any level', async () => {
    const { repository } = await memoryRepository()
    const image = await makeImage(IMAGE)
    const { backupId } = await backUp(repository, image)
    const good = { checkedChunks: CHUNKS, damagedChunks: 0, damagedPages: 0, healedChunks: 0, healedPages: 0 }
    expect(await verify(repository, backupId)).toEqual(good)
    expect(await verify(repository, backupId, { level: 'presence' })).toEqual(good)
    expect(await verify(repository, backupId, { level: 'quarantined' })).toEqual({
      ...good,
      checkedChunks: 0,
    })
    const volume = { kind: 'file', path: image.path, sizeBytes: image.bytes.length } as const
    expect(await verify(repository, backupId, { level: 'restore', volume })).toEqual(good)
    await overwrite(image, 3 * SHAPE.chunkBytes, Buffer.from('x'))
    expect(await verify(repository, backupId, { level: 'restore', volume })).toEqual({
      ...good,
      damagedChunks: 1,
    })
    expect(await markers(repository)).toEqual({ chunks: 0, pages: 0 })
  })

  it('leaves a marker for each chunk that is missing or altered, and takes it away when the chunk is good again', async () => {
    const { repository, target } = await memoryRepository()
    const { backupId } = await backUp(repository, await makeImage(IMAGE))
    const [altered = '', missing = ''] = keysOf(target, '/c/')
    const before = target.objects.get(altered) ?? Buffer.alloc(0)
    flip(target, altered)
    target.objects.delete(missing)
    expect(await verify(repository, backupId, { level: 'presence' })).toMatchObject({ damagedChunks: 1 })
    expect(await verify(repository, backupId)).toMatchObject({ checkedChunks: CHUNKS, damagedChunks: 2 })
    expect(await markers(repository)).toEqual({ chunks: 2, pages: 0 })
    target.objects.set(altered, before)
    expect(await verify(repository, backupId, { level: 'quarantined' })).toMatchObject({
      checkedChunks: 2,
      damagedChunks: 1,
    })
    expect(await markers(repository)).toEqual({ chunks: 1, pages: 0 })
  })

  it('heals what is damaged with the bytes of a copy, where these are the same', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage(IMAGE)
    const { backupId } = await backUp(repository, image)
    const [altered = '', missing = ''] = keysOf(target, '/c/')
    flip(target, altered)
    target.objects.delete(missing)
    const other = bufferReader(Buffer.alloc(image.bytes.length, 1))
    expect(await verify(repository, backupId, { copy: other })).toMatchObject({
      damagedChunks: 2,
      healedChunks: 0,
    })
    expect(
      await verify(repository, backupId, { level: 'quarantined', copy: bufferReader(image.bytes) }),
    ).toEqual({
      ...{ checkedChunks: 2, damagedChunks: 0, damagedPages: 0, healedChunks: 2, healedPages: 0 },
    })
    expect(await markers(repository)).toEqual({ chunks: 0, pages: 0 })
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })

  it('heals an index page with the bytes of a copy, and then looks at the chunks that it names', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage(IMAGE)
    const { backupId } = await backUp(repository, image)
    const [hidden = ''] = keysOf(target, '/c/')
    for (const page of keysOf(target, '/s/')) flip(target, page)
    flip(target, hidden)
    const other = bufferReader(Buffer.alloc(image.bytes.length, 1))
    expect(await verify(repository, backupId, { copy: other })).toMatchObject({
      ...{ checkedChunks: 0, damagedPages: 2, healedPages: 0 },
    })
    const shorter = bufferReader(image.bytes.subarray(0, -SHAPE.chunkBytes))
    expect(await verify(repository, backupId, { copy: shorter })).toMatchObject({ damagedPages: 2 })
    expect(await verify(repository, backupId, { copy: bufferReader(image.bytes) })).toEqual({
      ...{ checkedChunks: CHUNKS, damagedChunks: 0, damagedPages: 0, healedChunks: 1, healedPages: 2 },
    })
    expect(await markers(repository)).toEqual({ chunks: 0, pages: 0 })
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })

  it('heals an index page whose chunk is lost, too, if another backup tells of that chunk', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('rrrrrrrr')
    const { backupId } = await backUp(repository, image)
    const [page = ''] = keysOf(target, '/s/')
    const lost = keysOf(target, '/c/')[3] ?? ''
    target.objects.delete(page)
    target.objects.delete(lost)
    const copy = bufferReader(Buffer.from(image.bytes))
    expect(await verify(repository, backupId, { copy })).toMatchObject({ damagedPages: 1, healedPages: 0 })
    expect(await markers(repository)).toEqual({ chunks: 0, pages: 1 })

    const again = await memoryRepository()
    const first = await backUp(again.repository, image)
    const [before = ''] = keysOf(again.target, '/s/')
    await overwrite(image, 0, Buffer.from('x'))
    await backUp(again.repository, image, { parentBackupId: first.backupId })
    again.target.objects.delete(before)
    again.target.objects.delete(keysOf(again.target, '/c/')[3] ?? '')
    expect(await verify(again.repository, first.backupId, { copy })).toMatchObject({
      ...{ damagedChunks: 0, damagedPages: 0, healedChunks: 1, healedPages: 1 },
    })
    expect((await restored(again.repository, first.backupId, copy.sizeBytes)).length).toBe(copy.sizeBytes)
  })

  it('looks at what a healed page names before it calls that good, whoever healed it', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('rrrr')
    const { backupId } = await backUp(repository, image)
    const [page = ''] = keysOf(target, '/s/')
    const [hidden = ''] = keysOf(target, '/c/')
    flip(target, page)
    flip(target, hidden)
    expect(await verify(repository, backupId)).toMatchObject({ damagedChunks: 0, damagedPages: 1 })
    await backUp(repository, image)
    for (const damagedChunks of [1, 1])
      expect(await verify(repository, backupId, { level: 'quarantined' })).toMatchObject({
        ...{ damagedChunks, damagedPages: 0 },
      })
    expect(await markers(repository)).toEqual({ chunks: 1, pages: 0 })
    await backUp(repository, image)
    expect(await verify(repository, backupId, { level: 'quarantined' })).toMatchObject({ damagedChunks: 0 })
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })

  it('goes on after the page where it was interrupted, and looks at the same sample again', async () => {
    const { repository, target } = await memoryRepository()
    const { backupId } = await backUp(repository, await makeImage('r'.repeat(64)))
    for (const key of keysOf(target, '/c/').slice(0, 40)) flip(target, key)
    const fetched: number[] = []
    const options = { samplePercent: 30, pace: async (bytes: number) => void fetched.push(bytes) }
    const whole = await verify(repository, backupId, options)
    expect(whole.checkedChunks).toBeGreaterThan(8)
    expect(whole.checkedChunks).toBeLessThan(32)
    expect(whole.damagedChunks).toBeGreaterThan(2)
    const all = fetched.splice(0).length
    const pages: number[] = []
    const pageBytes = SHAPE.chunkBytes * SHAPE.pageEntries
    const onCheckpoint = async (bytes: number) => void pages.push(bytes / pageBytes)
    const resumed = { ...options, resumeFromBytes: 4 * pageBytes, onCheckpoint }
    expect(await verify(repository, backupId, resumed)).toEqual(whole)
    expect(pages).toEqual([5, 6, 7, 8])
    expect(fetched.length).toBeLessThan(all)
  })
})

describe('damage is healed by the next backup of the same bytes', () => {
  it.each<[string, (image: Image, parentId: string) => object]>([
    ['a full one', () => ({})],
    ['an incremental one that reads everything', (_, parentBackupId) => ({ parentBackupId })],
    [
      'an incremental one that knows that nothing changed',
      (_, parentBackupId) => ({ parentBackupId, changedExtents: [] }),
    ],
  ])('%s', async (_, options) => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage(IMAGE)
    const { backupId } = await backUp(repository, image)
    const [altered = '', missing = ''] = keysOf(target, '/c/')
    const [page = ''] = keysOf(target, '/s/')
    flip(target, altered)
    target.objects.delete(missing)
    flip(target, page)
    // One page hides its chunks: they are found once it is healed.
    await verify(repository, backupId)
    expect((await markers(repository)).pages).toBe(1)
    await backUp(repository, image, options(image, backupId))
    await verify(repository, backupId)
    const next = await backUp(repository, image, options(image, backupId))
    expect(await verify(repository, backupId)).toEqual({
      checkedChunks: CHUNKS,
      damagedChunks: 0,
      damagedPages: 0,
      healedChunks: 0,
      healedPages: 0,
    })
    expect(await verify(repository, next.backupId)).toMatchObject({
      damagedChunks: 0,
      damagedPages: 0,
      healedChunks: 0,
      healedPages: 0,
    })
    expect(await markers(repository)).toEqual({ chunks: 0, pages: 0 })
    expect((await restored(repository, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  })

  it('but not by one of other bytes, and what it cannot heal it does not refer to', async () => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage(IMAGE)
    const { backupId } = await backUp(repository, image)
    const [altered = ''] = keysOf(target, '/c/')
    flip(target, altered)
    await verify(repository, backupId)
    const other = await makeImage(IMAGE)
    const { backupId: next, healedObjects } = await backUp(repository, other, { parentBackupId: backupId })
    expect(healedObjects).toBe(0)
    expect(await markers(repository)).toEqual({ chunks: 1, pages: 0 })
    expect((await restored(repository, next, other.bytes.length)).equals(other.bytes)).toBe(true)
    await writeFile(other.path, image.bytes)
    await backUp(repository, { path: other.path, bytes: image.bytes })
    expect(await markers(repository)).toEqual({ chunks: 0, pages: 0 })
  })
})

it('an upload that goes on reads again what was found damaged since, and heals it', async () => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage('r'.repeat(20))
  const { backupId } = await backUp(repository, image)
  const stop = new AbortController()
  const request = uploadRequest(image, { journalChunks: 1 })
  const interrupted = uploadBackup(repository, {
    ...request,
    signal: stop.signal,
    onProgress: ({ doneBytes }) => doneBytes > 14 * SHAPE.chunkBytes && stop.abort(new Error('enough')),
  })
  await expect(interrupted).rejects.toThrow('enough')
  const [altered = ''] = keysOf(target, '/c/')
  const [missing = ''] = keysOf(target, '/s/')
  flip(target, altered)
  await verify(repository, backupId)
  target.objects.delete(missing)
  await verify(repository, backupId)
  expect(await markers(repository)).toEqual({ chunks: 1, pages: 1 })
  const { healedObjects, totals } = await uploadBackup(repository, { ...request, writerToken: 2 })
  expect({ healedObjects, dataChunks: totals.dataChunks }).toEqual({ healedObjects: 2, dataChunks: 20 })
  await commitBackup(repository, request)
  for (const id of [backupId, request.backupId]) {
    expect(await verify(repository, id)).toMatchObject({ damagedChunks: 0, damagedPages: 0 })
    expect((await restored(repository, id, image.bytes.length)).equals(image.bytes)).toBe(true)
  }
})

it('a marker goes with the backup that needed the object', async () => {
  const { repository, target } = await memoryRepository()
  const { backupId } = await backUp(repository, await makeImage(IMAGE))
  const other = await backUp(repository, await makeImage(IMAGE))
  for (const key of keysOf(target, '/c/').filter((_, index) => index === 0 || index === CHUNKS))
    flip(target, key)
  await verify(repository, backupId)
  await verify(repository, other.backupId)
  expect(await markers(repository)).toEqual({ chunks: 2, pages: 0 })
  await deleteBackup(repository, { domain: DOMAIN, backupId })
  await collect(repository, { force: true })
  expect(await markers(repository)).toEqual({ chunks: 1, pages: 0 })
})
