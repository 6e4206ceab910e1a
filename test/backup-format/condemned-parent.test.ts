/** A collection may condemn the page of a parent that was committed a moment later, and none of its chunks, which others need. */
import { expect, it } from 'vitest'
import { type CondemnedBlob, encodeCondemned } from '../../backup-format/condemned.ts'
import { type BlobKind, condemnedListKey, parseBlobName } from '../../backup-format/names.ts'
import { readRecord } from '../../backup-format/record.ts'
import type { Repository } from '../../backup-format/repository.ts'
import { readState, replaceState } from '../../backup-format/state.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import { backUp, DOMAIN, keysOf, makeImage, memoryRepository, uploadRequest } from './fixtures.ts'

it.each<{ kind: BlobKind; folder: string }>([
  { kind: 'page', folder: '/s/' },
  { kind: 'chunk', folder: '/c/' },
])('an upload does not rely on a condemned $kind of its parent', async ({ kind, folder }) => {
  const { repository, target } = await memoryRepository()
  const image = await makeImage('rrrrr')
  const { backupId } = await backUp(repository, image)
  const [key = ''] = keysOf(target, folder)
  const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
  if (ref === undefined) throw new Error(`Expected the name of a ${kind}, got ${key}`)
  await condemn(repository, { ...ref, kind, sizeBytes: target.objects.get(key)?.length ?? 0 })

  const request = uploadRequest(image, { parentBackupId: backupId, changedRanges: [] })
  const { totals } = await uploadBackup(repository, request)
  const record = await readRecord(repository, DOMAIN, request.backupId)
  expect(totals.newChunks).toBe(kind === 'chunk' ? 1 : 5)
  expect(record?.value.pages?.map((name) => parseBlobName(name ?? '')?.epoch)).toEqual([ref.epoch + 1])
})

async function condemn(repository: Repository, blob: CondemnedBlob): Promise<void> {
  const { value, version } = await readState(repository)
  const epoch = value.epoch + 1
  const list = { key: condemnedListKey(epoch, 'run', 0), domain: DOMAIN }
  await repository.target.putIfAbsent(list.key, repository.sealer.seal(list.key, encodeCondemned([blob])))
  const published = { ...value, epoch, phase: 'condemned' as const, run: 'run', lists: [list] }
  expect(await replaceState(repository, published, version)).toBeDefined()
}
