/**
 * Key derivation. A repository has a random master key, which key slots wrap (key-slot.ts). Under it a random root key for each
 * domain is sealed (domain-root.ts). From a root follow the keys that name and seal objects.
 */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

export const KEY_BYTES = 32

/** A plain value: it is handed to worker threads. */
export interface SealingKeys {
  readonly repoId: string
  /** HMAC key of chunk and page ids. */
  readonly id: Uint8Array
  /** From which each session's AES key follows. */
  readonly data: Uint8Array
}

/** A master key or the root key of a domain. */
export function newKey(): Uint8Array {
  return new Uint8Array(randomBytes(KEY_BYTES))
}

export function domainKeys(root: Uint8Array, repoId: string): SealingKeys {
  return { repoId, id: derive(root, '', 'volflow/v1/id'), data: derive(root, '', 'volflow/v1/data') }
}

/** Keys of what belongs to no domain: the state, the lists of condemned objects, the root keys of domains. */
export function repositoryKeys(masterKey: Uint8Array, repoId: string): SealingKeys {
  return domainKeys(derive(masterKey, repoId, 'volflow/v1/repository'), repoId)
}

/** Written into repo.json: proves that the key is the right one and that the description was not altered. */
export function repositorySeal(masterKey: Uint8Array, repoId: string, description: string): Buffer {
  return hmac(derive(masterKey, repoId, 'volflow/v1/seal'), description)
}

/** Written into each key slot: whoever has opened one slot can tell whether the others are as they were written. */
export function slotSeal(masterKey: Uint8Array, repoId: string, slot: string): Buffer {
  return hmac(derive(masterKey, repoId, 'volflow/v1/slot-seal'), slot)
}

/** Wraps the master key in one slot. */
export function wrappingKey(secret: Uint8Array, repoId: string, slotId: string): Uint8Array {
  return derive(secret, repoId, `volflow/v1/slot/${slotId}`)
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

function hmac(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function derive(key: Uint8Array, salt: Uint8Array | string, info: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, salt, info, KEY_BYTES))
}
