import { describe, expect, it } from 'vitest'
import { collect } from '../../backup-format/collect.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { readCommitted } from '../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import {
  backUp,
  DOMAIN,
  keysOf,
  makeImage,
  keyring,
  memoryRepository,
  restored,
  SHAPE,
  uploadRequest,
} from './fixtures.ts'
import type { MemoryTarget } from './memory-target.ts'
import { keysOfRecord } from './reachable.ts'

const IMAGE = 'rrrr'.repeat(SHAPE.pageEntries)

/** Each damages the object and says what happened. */
const DAMAGES: Record<string, (target: MemoryTarget, key: string, other: string) => void> = {
  'one flipped bit in the header': (target, key) => flip(target, key, 6),
  'one flipped bit in the nonce': (target, key) => flip(target, key, 35),
  'one flipped bit in the middle': (target, key) => flip(target, key, bytesOf(target, key).length >> 1),
  'one flipped bit in the tag': (target, key) => flip(target, key, bytesOf(target, key).length - 1),
  'truncation to nothing': (target, key) => target.objects.set(key, Buffer.alloc(0)),
  'truncation to half': (target, key) =>
    target.objects.set(key, bytesOf(target, key).subarray(0, bytesOf(target, key).length >> 1)),
  'an appended byte': (target, key) =>
    target.objects.set(key, Buffer.concat([bytesOf(target, key), Buffer.from([0])])),
  'the bytes of another object of its kind': (target, key, other) =>
    target.objects.set(key, bytesOf(target, other)),
}

describe.each([
  ['chunk', '/c/'],
  ['index page', '/s/'],
  ['record', '/r/'],
])('a damaged %s', (kind, folder) => {
  it.each(Object.keys(DAMAGES))('is found by a restore after %s', async (damage) => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage(IMAGE)
    const { backupId } = await backUp(repository, image)
    await backUp(repository, await makeImage(IMAGE))
    const key =
      folder === '/r/' ? `d/${DOMAIN}/r/${backupId}` : await firstKeyOf(repository, target, backupId, folder)
    const other = keysOf(target, folder).find((candidate) => candidate !== key) ?? ''
    DAMAGES[damage]?.(target, key, other)
    await expect(restored(repository, backupId, image.bytes.length)).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'corrupt',
      message: expect.stringContaining(`${kind} ${key}`),
    })
  })
})

it.each(['chunk', 'index page'])('a missing %s is named', async (kind) => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage(IMAGE)
  const { backupId } = await backUp(repository, image)
  const [key = ''] = keysOf(target, kind === 'chunk' ? '/c/' : '/s/')
  target.objects.delete(key)
  await expect(restored(repository, backupId, image.bytes.length)).rejects.toMatchObject({
    kind: 'corrupt',
    message: `Expected ${kind} ${key}, it is missing`,
  })
})

it.each(Object.keys(DAMAGES).filter((damage) => !damage.includes('another object')))(
  'a damaged state stops uploads and collections after %s',
  async (damage) => {
    const { repository, target } = await memoryRepository()
    const image = await makeImage('r')
    DAMAGES[damage]?.(target, 'state', '')
    const error = { kind: 'corrupt', message: expect.stringContaining('state') }
    await expect(backUp(repository, image)).rejects.toMatchObject(error)
    await expect(collect(repository)).rejects.toMatchObject(error)
  },
)

it('a missing state is not taken for a new repository once there are backups', async () => {
  const { repository, target } = await memoryRepository()
  await backUp(repository, await makeImage('r'))
  target.objects.delete('state')
  await expect(createOrOpenRepository(target, keyring())).rejects.toMatchObject({ kind: 'corrupt' })
})

it('a damaged journal page stops the upload that would continue from it', async () => {
  const { repository, target } = await memoryRepository()
  const request = uploadRequest(await makeImage('rrrr'))
  await uploadBackup(repository, request)
  const [key = ''] = keysOf(target, '/j/')
  flip(target, key, 60)
  await expect(uploadBackup(repository, { ...request, writerToken: 2 })).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(`journal page ${key}`),
  })
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

it('a damaged list of condemned objects stops the collection', async () => {
  const { repository, target } = await memoryRepository()
  const { backupId } = await backUp(repository, await makeImage('rr'))
  const open = uploadRequest(await makeImage('r'))
  await uploadBackup(repository, open)
  await deleteBackup(repository, { domain: DOMAIN, backupId })
  expect(await collect(repository)).toMatchObject({
    outcome: 'waiting',
    waitingFor: [{ domain: DOMAIN, backupId: open.backupId }],
    accounts: { deleted: { objects: 0 } },
  })
  const [key = ''] = keysOf(target, 'gc/')
  flip(target, key, 50)
  await expect(collect(repository, { abortable: () => true })).rejects.toMatchObject({
    kind: 'corrupt',
    message: expect.stringContaining(`condemned list ${key}`),
  })
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
    ['version', 2, 'unsupported'],
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
