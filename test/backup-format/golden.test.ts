import { describe, expect, it } from 'vitest'
import { collect } from '../../backup-format/collect.ts'
import { readCommitted, readRecord } from '../../backup-format/record.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { createKeyring } from '../../backup-format/unlock.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { bufferReader, DOMAIN, keysOf, restored, uploadRequest } from './fixtures.ts'
import { FORMATS, goldenSecrets, goldenTarget, readGolden } from './golden.ts'
import { goldenVolume } from './golden-volume.ts'
import type { MemoryTarget } from './memory-target.ts'
import { contentOf } from './reachable.ts'

describe.each(FORMATS)('a repository of format %i', (format) => {
  it.each(['full', 'incremental'] as const)('stays readable: its %s backup', async (backupId) => {
    const { repository } = await openGolden(format, 'key-file')
    const record = await readCommitted(repository, DOMAIN, backupId)
    const volume = goldenVolume(backupId)
    expect((await contentOf(repository, record)).equals(volume)).toBe(true)
    expect((await restored(repository, backupId, volume.length)).equals(volume)).toBe(true)
    expect(record.parentBackupId).toBe(backupId === 'full' ? null : 'full')
  })

  it.each(['passphrase', 'recovery-key', 'key-manager'])('is opened by its %s alone', async (kind) => {
    const { repository } = await openGolden(format, kind)
    const volume = goldenVolume('full')
    expect((await restored(repository, 'full', volume.length)).equals(volume)).toBe(true)
  })

  it('continues an upload that was left open from its journal', async () => {
    const { repository } = await openGolden(format, 'key-file')
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

  it('finishes a collection that was left half done', async () => {
    const { repository, target } = await openGolden(format, 'key-file')
    const chunks = keysOf(target, '/c/').length
    expect(await collect(repository, { abortable: () => true })).toMatchObject({ outcome: 'done' })
    expect(chunks - keysOf(target, '/c/').length).toBe(4)
    expect(keysOf(target, 'gc/')).toEqual([])
    const volume = goldenVolume('incremental')
    expect((await restored(repository, 'incremental', volume.length)).equals(volume)).toBe(true)
  })
})

async function openGolden(
  format: number,
  kind: string,
): Promise<{ repository: Repository; target: MemoryTarget }> {
  const golden = await readGolden(format)
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
