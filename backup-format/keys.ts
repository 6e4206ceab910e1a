/** Key derivation: one 32-byte master key per repository, from which each domain's keys follow. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'

const MASTER_KEY_BYTES = 32

/** A plain value: it is handed to worker threads. */
export interface SealingKeys {
  readonly repoId: string
  /** HMAC key of chunk and page ids. */
  readonly id: Uint8Array
  /** From which each session's AES key follows. */
  readonly data: Uint8Array
}

export function domainKeys(masterKey: Uint8Array, repoId: string, domain: string): SealingKeys {
  return keysUnder(derive(masterKey, repoId, `volflow/v1/domain/${domain}`), repoId)
}

/** Keys of what belongs to no domain: the state and the lists of condemned objects. */
export function repositoryKeys(masterKey: Uint8Array, repoId: string): SealingKeys {
  return keysUnder(derive(masterKey, repoId, 'volflow/v1/repository'), repoId)
}

/** Written into repo.json: proves that the key is the right one and that the description was not altered. */
export function repositorySeal(masterKey: Uint8Array, repoId: string, description: string): Buffer {
  return createHmac('sha256', derive(masterKey, repoId, 'volflow/v1/seal'))
    .update(description)
    .digest()
}

export function sessionKey(keys: SealingKeys, session: Uint8Array): Uint8Array {
  return derive(keys.data, session, 'volflow/v1/session')
}

/** As 64 hex digits. */
export function contentId(keys: SealingKeys, plain: Uint8Array): string {
  return createHmac('sha256', keys.id).update(plain).digest('hex')
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && timingSafeEqual(a, b)
}

export function checkMasterKey(masterKey: Uint8Array): void {
  if (masterKey.byteLength === MASTER_KEY_BYTES) return
  throw new DriverError(
    'invalid',
    `Expected a repository key of ${MASTER_KEY_BYTES} bytes, got ${masterKey.byteLength}`,
  )
}

function keysUnder(root: Uint8Array, repoId: string): SealingKeys {
  return { repoId, id: derive(root, '', 'volflow/v1/id'), data: derive(root, '', 'volflow/v1/data') }
}

function derive(key: Uint8Array, salt: Uint8Array | string, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, info, 32))
}
