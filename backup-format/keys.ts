/**
 * Key derivation. A repository has a random master key, which key slots wrap (key-slot.ts). Under it a random root key for each
 * domain is sealed (domain-root.ts). From a root follow the keys that name and seal objects.
 */
import { createCipheriv, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'
import { KiB } from '../domain/sizes.ts'

export const KEY_BYTES = 32
const NO_NONCE = Buffer.alloc(12)
/** What both digests read before either goes on: it is still in the processor's cache. */
const PIECE_BYTES = 256 * KiB

/** A plain value: it is handed to worker threads. */
export interface SealingKeys {
  readonly repoId: string
  /** HMAC key of chunk and page ids. */
  readonly id: Uint8Array
  /** From which each session's AES key follows. */
  readonly data: Uint8Array
  /** AES keys of the digests that stand for the plain bytes in their id; format 1 has none. */
  readonly digests: readonly Uint8Array[]
}

/** A master key or the root key of a domain. */
export function newKey(): Uint8Array {
  return new Uint8Array(randomBytes(KEY_BYTES))
}

/** `version`: of the repository's format. */
export function domainKeys(
  root: Uint8Array,
  { repoId, version }: { repoId: string; version: number },
): SealingKeys {
  const digests = version === 1 ? [] : ['volflow/v2/digest-1', 'volflow/v2/digest-2']
  return {
    repoId,
    id: derive(root, '', 'volflow/v1/id'),
    data: derive(root, '', 'volflow/v1/data'),
    digests: digests.map((info) => derive(root, '', info)),
  }
}

/** Keys of what belongs to no domain: the state, the lists of condemned objects, the root keys of domains. */
export function repositoryKeys(
  masterKey: Uint8Array,
  repository: { repoId: string; version: number },
): SealingKeys {
  return domainKeys(derive(masterKey, repository.repoId, 'volflow/v1/repository'), repository)
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

/**
 * As 64 hex digits. In format 1 a plain HMAC; since format 2 that of two digests, which take a quarter of its time (docs/backup-format.md
 * says why that is as good).
 */
export function contentId(keys: SealingKeys, plain: Uint8Array): string {
  const named = keys.digests.length === 0 ? plain : digest(keys.digests, plain)
  return createHmac('sha256', keys.id).update(named).digest('hex')
}

/** GMAC under each key. Its nonce may be the same each time because the tags are shown to nobody. */
function digest(keys: readonly Uint8Array[], plain: Uint8Array): Buffer {
  const macs = keys.map((key) => createCipheriv('aes-256-gcm', key, NO_NONCE))
  for (let at = 0; at < plain.byteLength; at += PIECE_BYTES) {
    const piece = plain.subarray(at, at + PIECE_BYTES)
    for (const mac of macs) mac.setAAD(piece)
  }
  const tags = macs.map((mac) => {
    mac.final()
    return mac.getAuthTag()
  })
  return Buffer.concat(tags)
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
