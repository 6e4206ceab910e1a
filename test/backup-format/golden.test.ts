import { expect, it } from 'vitest'
import { collect } from '../../backup-format/collect.ts'
import { readCommitted, readRecord } from '../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { createKeyring } from '../../backup-format/unlock.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { bufferReader, DOMAIN, keysOf, restored, uploadRequest } from './fixtures.ts'
import { goldenSecrets, goldenTarget, readGolden } from './golden.ts'
import { goldenVolume } from './golden-volume.ts'
import type { MemoryTarget } from './memory-target.ts'
import { contentOf } from './reachable.ts'

it.each(['full', 'incremental'] as const)(
  'a repository of format 1 stays readable: its %s backup',
  async (backupId) => {
    const { repository } = await openGolden('key-file')
    const record = await readCommitted(repository, DOMAIN, backupId)
    const volume = goldenVolume(backupId)
    expect((await contentOf(repository, record)).equals(volume)).toBe(true)
    expect((await restored(repository, backupId, volume.length)).equals(volume)).toBe(true)
    expect(record.parentBackupId).toBe(backupId === 'full' ? null : 'full')
  },
)

it.each(['passphrase', 'recovery-key', 'key-manager'])('format 1 is opened by its %s alone', async (kind) => {
  const { repository } = await openGolden(kind)
  const volume = goldenVolume('full')
  expect((await restored(repository, 'full', volume.length)).equals(volume)).toBe(true)
})

it('an upload that format 1 left open is continued from its journal', async () => {
  const { repository } = await openGolden('key-file')
  const volume = goldenVolume('full')
  const request = uploadRequest({ path: 'unused', bytes: volume }, { backupId: 'open', writerToken: 2 })
  const before = (await readRecord(repository, DOMAIN, 'open'))?.value
  const reader = {
    ...bufferReader(volume),
    read: () => Promise.reject(new Error('Expected nothing to be read')),
  }
  const { totals, redoneChunks } = await uploadFrom(repository, request, reader)
  expect({ totals, redoneChunks }).toEqual({ totals: before?.totals, redoneChunks: 0 })
})

it('a collection that format 1 left half done is finished', async () => {
  const { repository, target } = await openGolden('key-file')
  const chunks = keysOf(target, '/c/').length
  expect(await collect(repository, { abortable: () => true })).toMatchObject({ outcome: 'done' })
  expect(chunks - keysOf(target, '/c/').length).toBe(4)
  expect(keysOf(target, 'gc/')).toEqual([])
  const volume = goldenVolume('incremental')
  expect((await restored(repository, 'incremental', volume.length)).equals(volume)).toBe(true)
})

async function openGolden(kind: string): Promise<{ repository: Repository; target: MemoryTarget }> {
  const golden = await readGolden()
  const target = goldenTarget(golden)
  const secrets = goldenSecrets(golden.secrets).filter((secret) => secret.kind === kind)
  return {
    repository: await createOrOpenRepository(
      target,
      createKeyring(async () => secrets),
    ),
    target,
  }
}
