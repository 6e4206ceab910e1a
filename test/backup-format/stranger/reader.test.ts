/** docs/backup-format.md is enough: a reader in another language, written from it, restores what the product wrote. */
import { execFile } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { newKey } from '../../../backup-format/keys.ts'
import { addSlot } from '../../../backup-format/key-slots.ts'
import { formatRecoveryKey, newRecoveryKey } from '../../../backup-format/recovery-key.ts'
import { createOrOpenRepository } from '../../../backup-format/repository.ts'
import { unlock } from '../../../backup-format/unlock.ts'
import { MiB } from '../../../domain/sizes.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { backUp, DOMAIN, keyring, makeImage } from '../fixtures.ts'
import { FORMATS, readGolden } from '../golden.ts'
import { goldenVolume } from '../golden-volume.ts'
import { MemoryTarget } from '../memory-target.ts'

/** Debian's, which has the packages; another one may come first in PATH. */
const PYTHON = '/usr/bin/python3'
const READER = join(import.meta.dirname, 'reader.py')

const SECRETS = [
  ['key-file', 'keyFile'],
  ['passphrase', 'passphrase'],
  ['recovery-key', 'recoveryKey'],
  ['key-manager', 'keyManager'],
] as const

describe.each(FORMATS)('the golden repository of format %i', (format) => {
  let folder: string

  beforeAll(async () => {
    folder = await tempDir()
    const { secrets, objects } = await readGolden(format)
    for (const [key, text] of Object.entries(objects)) await store(folder, key, Buffer.from(text, 'base64'))
    for (const [kind, name] of SECRETS)
      await store(folder, `secrets/${kind}`, Buffer.from(`${secrets[name]}\n`))
  })

  it.each(SECRETS.map(([kind]) => kind))('is opened by its %s and restored', async (kind) => {
    for (const backupId of ['full', 'incremental'] as const)
      expect((await read(folder, backupId, kind)).equals(goldenVolume(backupId))).toBe(true)
  })

  it('gives no bytes of a backup that is open, or that was deleted', async () => {
    await expect(read(folder, 'open', 'key-file')).rejects.toMatchObject({ stdout: Buffer.alloc(0) })
    await expect(read(folder, 'gone', 'key-file')).rejects.toMatchObject({ stdout: Buffer.alloc(0) })
  })
})

it('what is written today, with chunks of 4 MiB, is restored; what is damaged is not', async () => {
  const folder = await tempDir()
  const target = new MemoryTarget()
  const key = newKey()
  const repository = await createOrOpenRepository(target, keyring(key))
  const unlocked = await unlock(target, keyring(key))
  if (unlocked === undefined) throw new Error('Expected a repository')
  const recoveryKey = newRecoveryKey()
  await addSlot(unlocked, { kind: 'recovery-key', key: recoveryKey })
  const image = await makeImage('rt.tr', 4 * MiB)
  const odd = { ...image, bytes: image.bytes.subarray(0, image.bytes.length - 12_345) }
  const { backupId } = await backUp(repository, odd)
  target.objects.delete(`domains/${DOMAIN}`)
  for (const [name, bytes] of target.objects) await store(folder, name, bytes)
  await store(folder, 'secrets/recovery-key', Buffer.from(formatRecoveryKey(recoveryKey)))
  expect((await read(folder, backupId, 'recovery-key')).equals(odd.bytes)).toBe(true)

  for (const part of ['/c/', '/s/', '/r/', '/key', 'repo.json', 'keys/']) {
    const [damaged = '', bytes = Buffer.alloc(0)] =
      [...target.objects].find(([name]) => name.includes(part)) ?? []
    const wrong = Buffer.from(bytes)
    wrong[wrong.length >> 1] = (wrong[wrong.length >> 1] ?? 0) ^ 1
    await store(folder, damaged, wrong)
    const restored = await read(folder, backupId, 'recovery-key').catch(() => undefined)
    expect(restored?.equals(odd.bytes) ?? false, damaged).toBe(part === 'keys/')
    await store(folder, damaged, bytes)
  }
}, 60_000)

async function read(folder: string, backupId: string, kind: string): Promise<Buffer> {
  const args = [READER, folder, DOMAIN, backupId, kind, join(folder, 'secrets', kind)]
  const { stdout } = await promisify(execFile)(PYTHON, args, { encoding: 'buffer', maxBuffer: 64 * MiB })
  return stdout
}

async function store(folder: string, key: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(join(folder, key)), { recursive: true })
  await writeFile(join(folder, key), bytes)
}
