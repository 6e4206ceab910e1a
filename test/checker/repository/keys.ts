/** Keys of a repository, as docs/backup-format.md derives them. */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from 'node:crypto'

export interface KeySet {
  readonly idKey: Buffer
  readonly dataKey: Buffer
  /** Two since format 2, none before. */
  readonly digestKeys: readonly Buffer[]
}

export function sealOfRepository(masterKey: Buffer, description: RepositoryDescription): string {
  const { version, repoId, chunkBytes, pageEntries } = description
  const text = `volflow-backup|${version}|${repoId}|${chunkBytes}|${pageEntries}`
  return createHmac('sha256', derive(masterKey, repoId, 'volflow/v1/seal'))
    .update(text)
    .digest('hex')
}

export interface RepositoryDescription {
  readonly format: string
  readonly version: number
  readonly repoId: string
  readonly chunkBytes: number
  readonly pageEntries: number
  readonly seal: string
}

export interface KeySlot {
  readonly repoId: string
  readonly id: string
  readonly kind: string
  readonly nonce: string
  readonly wrapped: string
}

/** The two lines of an object under `keys/`. */
export function parseSlot(bytes: Buffer): { slot: KeySlot; line: string; seal: string } {
  const [line = '', seal = '', rest] = bytes.toString('utf8').split('\n')
  if (rest !== '' || !/^[0-9a-f]{64}$/.test(seal)) throw new Error('is not two lines')
  return { slot: JSON.parse(line) as KeySlot, line, seal }
}

export function sealOfSlot(masterKey: Buffer, repoId: string, line: string): string {
  return createHmac('sha256', derive(masterKey, repoId, 'volflow/v1/slot-seal'))
    .update(line)
    .digest('hex')
}

/** The master key in a slot of a key file; undefined where it is another one's. */
export function masterKeyOf(slot: KeySlot, keyFile: Buffer): Buffer | undefined {
  const wrapped = Buffer.from(slot.wrapped, 'hex')
  const key = wrappingKey(keyFile, slot)
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(slot.nonce, 'hex'))
  decipher.setAAD(Buffer.from(`volflow-key-slot|1|${slot.repoId}|${slot.id}|${slot.kind}`))
  decipher.setAuthTag(wrapped.subarray(32))
  const masterKey = decipher.update(wrapped.subarray(0, 32))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return masterKey
}

export function wrappingKey(secret: Buffer, { repoId, id }: Pick<KeySlot, 'repoId' | 'id'>): Buffer {
  return derive(secret, repoId, `volflow/v1/slot/${id}`)
}

export function repositoryKeys(
  masterKey: Buffer,
  { repoId, version }: Pick<RepositoryDescription, 'repoId' | 'version'>,
): KeySet {
  return keysOf(derive(masterKey, repoId, 'volflow/v1/repository'), version)
}

export function sessionKey(keys: KeySet, sessionId: Buffer): Buffer {
  return derive(keys.dataKey, sessionId, 'volflow/v1/session')
}

export function idOf(keys: KeySet, plain: Buffer): string {
  const tags = keys.digestKeys.map((key) => gmac(key, plain))
  return createHmac('sha256', keys.idKey)
    .update(tags.length === 0 ? plain : Buffer.concat(tags))
    .digest('hex')
}

export function keysOf(root: Buffer, version: number): KeySet {
  return {
    idKey: derive(root, '', 'volflow/v1/id'),
    dataKey: derive(root, '', 'volflow/v1/data'),
    digestKeys:
      version === 1 ? [] : ['1', '2'].map((number) => derive(root, '', `volflow/v2/digest-${number}`)),
  }
}

function gmac(key: Buffer, bytes: Buffer): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(bytes)
  cipher.final()
  return cipher.getAuthTag()
}

function derive(key: Buffer, salt: string | Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32))
}
