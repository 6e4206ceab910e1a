/** Keys of a repository, as docs/backup-format.md derives them. */
import { createHmac, hkdfSync } from 'node:crypto'

export interface KeySet {
  readonly idKey: Buffer
  readonly dataKey: Buffer
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

export function domainKeys(masterKey: Buffer, repoId: string, domain: string): KeySet {
  return keysOf(derive(masterKey, repoId, `volflow/v1/domain/${domain}`))
}

export function repositoryKeys(masterKey: Buffer, repoId: string): KeySet {
  return keysOf(derive(masterKey, repoId, 'volflow/v1/repository'))
}

export function sessionKey(keys: KeySet, sessionId: Buffer): Buffer {
  return derive(keys.dataKey, sessionId, 'volflow/v1/session')
}

export function idOf(keys: KeySet, plain: Buffer): string {
  return createHmac('sha256', keys.idKey).update(plain).digest('hex')
}

function keysOf(root: Buffer): KeySet {
  return { idKey: derive(root, '', 'volflow/v1/id'), dataKey: derive(root, '', 'volflow/v1/data') }
}

function derive(key: Buffer, salt: string | Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32))
}
