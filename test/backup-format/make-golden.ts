/**
 * Wrote golden-v1.json: every object of a small repository. Run it again only for a new version of the format, into a new file; what
 * version 1 wrote must stay readable.
 */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { commitBackup } from '../../backup-format/commit.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { bufferReader, MASTER_KEY, uploadRequest } from './fixtures.ts'
import { goldenVolume } from './golden-volume.ts'
import { MemoryTarget } from './memory-target.ts'

const target = new MemoryTarget()
const repository = await createOrOpenRepository(target, MASTER_KEY, { chunkBytes: 512, pageEntries: 4 })
for (const [backupId, parentBackupId] of [['full'], ['incremental', 'full']] as const) {
  const bytes = goldenVolume(backupId)
  const parent = parentBackupId === undefined ? {} : { parentBackupId }
  const request = uploadRequest({ path: 'unused', bytes }, { backupId, ...parent })
  await uploadFrom(repository, request, bufferReader(bytes))
  await commitBackup(repository, request)
}
await uploadFrom(
  repository,
  uploadRequest({ path: 'unused', bytes: goldenVolume('full') }, { backupId: 'open' }),
  bufferReader(goldenVolume('full')),
)
const objects = Object.fromEntries([...target.objects].map(([key, bytes]) => [key, bytes.toString('base64')]))
const path = join(import.meta.dirname, 'golden-v1.json')
await writeFile(path, `${JSON.stringify({ masterKey: MASTER_KEY.toString('hex'), objects }, null, 1)}\n`)
