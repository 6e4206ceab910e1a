import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { BackupReader, layoutOf } from '../../backup-format/backup-reader.ts'
import { changedChunks } from '../../backup-format/changed-chunks.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import {
  backUp,
  DOMAIN,
  keysOf,
  makeImage,
  memoryRepository,
  overwrite,
  restored,
  SHAPE,
  uploadRequest,
} from './fixtures.ts'

const { chunkBytes } = SHAPE

it('a backup is copied to another repository, and the next one by what differs, without reading the rest', async () => {
  const near = await memoryRepository()
  const far = await memoryRepository()
  const image = await makeImage('rt.r'.repeat(6) + 'r'.repeat(10) + '.'.repeat(8))
  const first = await backUp(near.repository, image)
  const copied: number[] = []
  const copy = async (backupId: string, more: object) => {
    const layout = await layoutOf(near.repository, { domain: DOMAIN, backupId })
    const reader = new BackupReader(near.target, layout)
    const read = reader.read.bind(reader)
    reader.read = async (buffer, offset) => {
      copied.push(offset / chunkBytes)
      await read(buffer, offset)
    }
    const request = uploadRequest(image, more)
    await uploadFrom(far.repository, request, reader)
    await commitBackup(far.repository, request)
    return request.backupId
  }
  const firstCopy = await copy(first.backupId, {})
  expect(copied.length).toBe(28)
  expect((await restored(far.repository, firstCopy, image.bytes.length)).equals(image.bytes)).toBe(true)

  await overwrite(image, 2 * chunkBytes + 5, randomBytes(20))
  await overwrite(image, 3 * chunkBytes, Buffer.alloc(chunkBytes))
  await overwrite(image, 30 * chunkBytes, randomBytes(7))
  const second = await backUp(near.repository, image, { parentBackupId: first.backupId })
  const [before, after] = await Promise.all(
    [first, second].map(({ backupId }) => layoutOf(near.repository, { domain: DOMAIN, backupId })),
  )
  if (before === undefined || after === undefined) throw new Error()
  const changedRanges = await changedChunks(near.target, before, after)
  expect(changedRanges).toEqual([
    { offset: 2 * chunkBytes, length: 2 * chunkBytes },
    { offset: 30 * chunkBytes, length: chunkBytes },
  ])
  copied.length = 0
  const secondCopy = await copy(second.backupId, { parentBackupId: firstCopy, changedRanges })
  expect(copied.toSorted((a, b) => a - b)).toEqual([2, 30])
  expect((await restored(far.repository, secondCopy, image.bytes.length)).equals(image.bytes)).toBe(true)
  // Other keys, other names: nobody can tell that the bytes are the same.
  const names = new Set(keysOf(near.target, '/c/'))
  expect(keysOf(far.target, '/c/').filter((key) => names.has(key))).toEqual([])
})

it('a damaged chunk is named when a copy comes to it', async () => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage('rr')
  const { backupId } = await backUp(repository, image)
  const [key = ''] = keysOf(target, '/c/')
  target.objects.delete(key)
  const reader = new BackupReader(target, await layoutOf(repository, { domain: DOMAIN, backupId }))
  await expect(reader.read(Buffer.alloc(2 * chunkBytes), 0)).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(key) as string,
  })
  expect(await reader.extents(0, 2 * chunkBytes)).toEqual([
    { offset: 0, length: 2 * chunkBytes, kind: 'data' },
  ])
})
