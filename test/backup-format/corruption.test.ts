import { describe, expect, it } from 'vitest'
import { collect } from '../../backup-format/collect.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { readCommitted } from '../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { backUp, DOMAIN, keysOf, makeImage, keyring, memoryRepository, restored, SHAPE } from './fixtures.ts'
import type { MemoryTarget } from './memory-target.ts'
import { keysOfRecord } from './reachable.ts'

const IMAGE = 'rrrr'.repeat(SHAPE.pageEntries)

it.each([
  ['chunk', '/c/'],
  ['index page', '/s/'],
  ['record', '/r/'],
])('a damaged or missing %s is named by the restore that needs it', async (kind, folder) => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage(IMAGE)
  const { backupId } = await backUp(repository, image)
  const key =
    folder === '/r/' ? `d/${DOMAIN}/r/${backupId}` : await firstKeyOf(repository, target, backupId, folder)
  flip(target, key, bytesOf(target, key).length >> 1)
  const restore = restored(repository, backupId, image.bytes.length)
  await expect(restore).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(`${kind} ${key}`),
  })
  if (folder === '/r/') return
  target.objects.delete(key)
  await expect(restored(repository, backupId, image.bytes.length)).rejects.toMatchObject({
    kind: 'corrupt',
    message: `Expected ${kind} ${key}, it is missing`,
  })
})

it('a missing state is not taken for a new repository once there are backups', async () => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage('r')
  const { backupId } = await backUp(repository, image)
  target.objects.delete('state')
  const again = await createOrOpenRepository(target, keyring())
  expect((await restored(again, backupId, image.bytes.length)).equals(image.bytes)).toBe(true)
  await expect(backUp(again, image)).rejects.toMatchObject({ kind: 'corrupt' })
  await expect(collect(again)).rejects.toMatchObject({ kind: 'corrupt' })
  expect(keysOf(target, 'state')).toEqual([])
})

it('nothing is deleted while a committed backup cannot be read', async () => {
  const { repository, target } = await memoryRepository()
  const { backupId } = await backUp(repository, await makeImage('rr'))
  await backUp(repository, await makeImage('rr'))
  await deleteBackup(repository, { domain: DOMAIN, backupId })
  for (const key of keysOf(target, '/s/')) flip(target, key, 50)
  const before = keysOf(target, '/c/')
  await expect(collect(repository)).rejects.toMatchObject({ kind: 'corrupt' })
  expect(keysOf(target, '/c/')).toEqual(before)
})

describe('the description of a repository', () => {
  it('does not open with another key', async () => {
    const { target } = await memoryRepository()
    await expect(createOrOpenRepository(target, keyring(Buffer.alloc(32, 8)))).rejects.toMatchObject({
      kind: 'invalid',
    })
  })

  it.each([
    ['chunkBytes', 8, 'corrupt'],
    ['pageEntries', 1, 'corrupt'],
    ['repoId', '00000000-0000-0000-0000-000000000000', 'invalid'],
    ['repoId', 7, 'corrupt'],
    ['format', 'other', 'corrupt'],
    ['version', 1, 'corrupt'],
    ['version', 3, 'unsupported'],
    ['seal', '', 'corrupt'],
  ])('does not open with %s changed to %j', async (field, value, kind) => {
    const { target } = await memoryRepository()
    const description: Record<string, unknown> = JSON.parse(bytesOf(target, 'repo.json').toString())
    target.objects.set(
      'repo.json',
      Buffer.from(`${JSON.stringify({ ...description, [field]: value }, null, 2)}\n`),
    )
    await expect(createOrOpenRepository(target, keyring())).rejects.toMatchObject({
      kind,
      name: 'DriverError',
    })
  })

  it('does not open when it is not JSON', async () => {
    const { target } = await memoryRepository()
    target.objects.set('repo.json', Buffer.from('{'))
    await expect(createOrOpenRepository(target, keyring())).rejects.toMatchObject({ kind: 'corrupt' })
  })
})

async function firstKeyOf(
  repository: Repository,
  target: MemoryTarget,
  backupId: string,
  folder: string,
): Promise<string> {
  const keys = await keysOfRecord(repository, await readCommitted(repository, DOMAIN, backupId))
  return keys.find((key) => key.includes(folder) && target.objects.has(key)) ?? ''
}

function flip(target: MemoryTarget, key: string, at: number): void {
  const bytes = Buffer.from(bytesOf(target, key))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  target.objects.set(key, bytes)
}

function bytesOf(target: MemoryTarget, key: string): Buffer {
  return target.objects.get(key) ?? Buffer.alloc(0)
}
