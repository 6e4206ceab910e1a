import { randomBytes } from 'node:crypto'
import { expect, it, vi } from 'vitest'
import { readPage } from '../../backup-format/blob.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { entriesOf } from '../../backup-format/entry.ts'
import { blobKey } from '../../backup-format/names.ts'
import { readRecord } from '../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { LIMITS } from '../../domain/limits.ts'
import {
  backUp,
  DOMAIN,
  keyring,
  keysOf,
  makeImage,
  memoryRepository,
  overwrite,
  SHAPE,
  uploadRequest,
} from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'

/** Enough to be found by more than one way of looking. */
const FEW = 20
const MANY = 1500

it.each([
  ['chunk', '/c/', FEW],
  ['chunk', '/c/', MANY],
  ['index page', '/s/', FEW],
])('a %s (%s) that the target has dropped is missed, among %i others', async (_, folder, others) => {
  const { repository, target } = await memoryRepository()
  addOthers(target, others)
  const request = uploadRequest(await makeImage('rtrtrtrtrt'))
  await uploadBackup(repository, request)
  const [dropped = ''] = keysOf(target, folder).filter((key) => !key.includes(OTHER))
  const bytes = target.objects.get(dropped) ?? Buffer.alloc(0)
  target.objects.delete(dropped)
  await expectMissed(commitBackup(repository, request), dropped)
  target.objects.set(dropped, bytes)
  expect((await commitBackup(repository, request)).state).toBe('committed')
})

it('a large volume is looked through in parts, its last one, too', async () => {
  const target = new MemoryTarget()
  const repository = await createOrOpenRepository(target, keyring(), { ...SHAPE, pageEntries: 1 })
  const request = uploadRequest(await makeImage('t'.repeat(LIMITS.presencePages + 2)))
  await uploadBackup(repository, request)
  const record = await readRecord(repository, DOMAIN, request.backupId)
  const [dropped = ''] = await chunksOf(repository, record?.value.pages?.at(-1) ?? '')
  target.objects.delete(dropped)
  await expectMissed(commitBackup(repository, request), dropped)
})

it('nothing is looked for where nothing has changed, and of a change only that', async () => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage('rtrtrtrtrtrtrtrt')
  const { backupId: parentBackupId } = await backUp(repository, image)
  const list = vi.spyOn(target, 'list')
  const listed = () => list.mock.calls.flat().filter((prefix) => /\/[cs]\//.test(prefix))
  await backUp(repository, image, { parentBackupId })
  expect(listed()).toEqual([])
  addOthers(target, MANY)
  await overwrite(image, SHAPE.chunkBytes, randomBytes(100))
  const request = uploadRequest(image, { parentBackupId })
  await uploadBackup(repository, request)
  await commitBackup(repository, request)
  // All chunks, and as they are too many, the new one by its name.
  expect(listed()).toHaveLength(2)
})

it('what a parent that is gone was relied on for is looked for', async () => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage('rtrtrtrtrtrtrtrt')
  const { backupId: parentBackupId } = await backUp(repository, image)
  const request = uploadRequest(image, { parentBackupId })
  await uploadBackup(repository, request)
  await deleteBackup(repository, { domain: DOMAIN, backupId: parentBackupId })
  const [dropped = ''] = keysOf(target, '/c/')
  target.objects.delete(dropped)
  await expectMissed(commitBackup(repository, request), dropped)
})

async function expectMissed(commit: Promise<unknown>, key: string): Promise<void> {
  const message: unknown = expect.stringContaining(key)
  await expect(commit).rejects.toMatchObject({ kind: 'corrupt', message })
}

async function chunksOf(repository: Repository, page: string): Promise<string[]> {
  const domain = await repository.domain(DOMAIN)
  const entries = entriesOf(await readPage(repository, domain, page))
  return [...entries].flatMap((entry) => (entry === undefined ? [] : blobKey('chunk', DOMAIN, entry)))
}

const OTHER = 'ff00'

function addOthers(target: MemoryTarget, count: number): void {
  for (let number = 0; number < count; number++) {
    const id = `${OTHER}${number.toString(16).padStart(60, '0')}`
    target.objects.set(`d/${DOMAIN}/c/ff/${id}.1`, Buffer.alloc(1))
  }
}
