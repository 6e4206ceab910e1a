/**
 * Writes the golden repository of the newest format: every object of a small repository, and what opens it. Only for a new version of the
 * format: what was written must stay readable.
 */
import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { collect } from '../../backup-format/collect.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { deleteBackup } from '../../backup-format/delete.ts'
import { addSlot } from '../../backup-format/key-slots.ts'
import { newKey } from '../../backup-format/keys.ts'
import { formatRecoveryKey, newRecoveryKey } from '../../backup-format/recovery-key.ts'
import { createOrOpenRepository } from '../../backup-format/repository.ts'
import { unlock } from '../../backup-format/unlock.ts'
import { uploadFrom } from '../../backup-format/upload.ts'
import { bufferReader, DOMAIN, keyring, uploadRequest } from './fixtures.ts'
import { FORMATS, type Golden, goldenPath, goldenSecrets } from './golden.ts'
import { goldenVolume } from './golden-volume.ts'
import { MemoryTarget } from './memory-target.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const secrets: Golden['secrets'] = {
  keyFile: hex(newKey()),
  passphrase: 'Blaue Zwölf, schräges Dach',
  recoveryKey: formatRecoveryKey(newRecoveryKey()),
  keyManager: hex(newKey()),
}
const [keyFile, ...others] = goldenSecrets(secrets)
if (keyFile?.kind !== 'key-file') throw new Error('Expected the key file first')
const target = new MemoryTarget()
const opener = keyring(keyFile.key)
const repository = await createOrOpenRepository(target, opener, { chunkBytes: 512, pageEntries: 4 })
const unlocked = await unlock(target, opener)
if (unlocked === undefined) throw new Error('Expected a repository')
for (const secret of others) await addSlot(unlocked, secret, `the ${secret.kind} of the fixture`)

for (const [backupId, parentBackupId] of [['full'], ['incremental', 'full'], ['gone']] as const) {
  const bytes = backupId === 'gone' ? randomBytes(2000) : goldenVolume(backupId)
  const parent = parentBackupId === undefined ? {} : { parentBackupId }
  const request = uploadRequest({ path: 'unused', bytes }, { backupId, ...parent })
  await uploadFrom(repository, request, bufferReader(bytes))
  await commitBackup(repository, request)
}
const open = uploadRequest({ path: 'unused', bytes: goldenVolume('full') }, { backupId: 'open' })
await uploadFrom(repository, open, bufferReader(goldenVolume('full')))
await deleteBackup(repository, { domain: DOMAIN, backupId: 'gone' })
// It waits for the open upload: its lists are among the objects.
await collect(repository)

const objects = Object.fromEntries([...target.objects].map(([key, bytes]) => [key, bytes.toString('base64')]))
const golden: Golden = { secrets, objects }
await writeFile(goldenPath(Math.max(...FORMATS)), `${JSON.stringify(golden, null, 1)}\n`, { flag: 'wx' })
