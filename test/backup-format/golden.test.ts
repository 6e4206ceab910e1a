import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readCommitted, readRecord } from '../../backup-format/record.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { bufferReader, DOMAIN, restored, uploadRequest } from './fixtures.ts'
import { goldenVolume } from './golden-volume.ts'
import { MemoryTarget } from './memory-target.ts'
import { contentOf } from './reachable.ts'

it.each(['full', 'incremental'] as const)(
  'a repository of format 1 stays readable: its %s backup',
  async (backupId) => {
    const repository = await openGolden()
    const record = await readCommitted(repository, DOMAIN, backupId)
    const volume = goldenVolume(backupId)
    expect((await contentOf(repository, record)).equals(volume)).toBe(true)
    expect((await restored(repository, backupId, volume.length)).equals(volume)).toBe(true)
    expect(record.parentBackupId).toBe(backupId === 'full' ? null : 'full')
  },
)

it('an upload that format 1 left open is continued from its journal', async () => {
  const repository = await openGolden()
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

async function openGolden() {
  const golden: { masterKey: string; objects: Record<string, string> } = JSON.parse(
    await readFile(join(import.meta.dirname, 'golden-v1.json'), 'utf8'),
  )
  const objects = Object.entries(golden.objects).map(([key, text]): [string, Buffer] => [
    key,
    Buffer.from(text, 'base64'),
  ])
  return createOrOpenRepository(new MemoryTarget(new Map(objects)), Buffer.from(golden.masterKey, 'hex'))
}
