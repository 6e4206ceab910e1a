/**
 * A key slot: the repository's master key, wrapped with one secret. Two lines of text, so that a person can see what it is: the slot as
 * JSON, and a seal over that line, with which whoever has the master key can tell that nobody altered it.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { z } from 'zod'
import { LIMITS } from '../domain/limits.ts'
import { KEY_BYTES, sameBytes, slotSeal, wrappingKey } from './keys.ts'

const TAG_BYTES = 16
const hex = (bytes: number) => z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`))

/** Bounded before anything is computed: the numbers come from whoever can write to the target. */
const scryptParameters = z
  .strictObject({
    n: z.int().refine((n) => Number.isInteger(Math.log2(n)) && n >= 2 ** 14, 'a power of two from 2^14'),
    r: z.int().min(1).max(32),
    p: z.int().min(1).max(LIMITS.scryptParallelMax),
    salt: hex(16),
  })
  .refine(({ n, r }) => 128 * n * r <= LIMITS.scryptMemoryMaxBytes, 'parameters that need less memory')

const common = {
  version: z.literal(1),
  repoId: z.uuid(),
  id: hex(8),
  /** For people. */
  label: z.string().max(LIMITS.nameLengthMax),
  createdAt: z.iso.datetime(),
  nonce: hex(12),
  wrapped: hex(KEY_BYTES + TAG_BYTES),
  /** Somebody is about to delete it; until then it opens. */
  removing: z.literal(true).optional(),
}

const keySlot = z.discriminatedUnion('kind', [
  z.strictObject({ ...common, kind: z.literal('key-file') }),
  z.strictObject({ ...common, kind: z.literal('passphrase'), scrypt: scryptParameters }),
  z.strictObject({ ...common, kind: z.literal('recovery-key') }),
  /** The secret is with a key manager that finds it under this reference. */
  z.strictObject({
    ...common,
    kind: z.literal('key-manager'),
    reference: z.string().max(LIMITS.keySlotReferenceMax),
  }),
])

export type KeySlot = z.infer<typeof keySlot>

/** With what a slot is opened. `key` has 32 bytes, a recovery key 16. */
export type KeySecret =
  | { readonly kind: 'key-file' | 'recovery-key'; readonly key: Uint8Array }
  | { readonly kind: 'key-manager'; readonly key: Uint8Array; readonly reference: string }
  | { readonly kind: 'passphrase'; readonly passphrase: string; readonly cost?: ScryptCost }

/** Only tests want another cost than the default. */
type ScryptCost = Pick<z.infer<typeof scryptParameters>, 'n' | 'r' | 'p'>

/** 128 MiB and about half a second: each guess costs as much. */
const SCRYPT: ScryptCost = { n: 2 ** 17, r: 8, p: 1 }

export async function makeSlot(
  masterKey: Uint8Array,
  repoId: string,
  secret: KeySecret,
  label: string,
): Promise<KeySlot> {
  const id = randomBytes(8).toString('hex')
  const nonce = randomBytes(12)
  const described = {
    version: 1 as const,
    repoId,
    id,
    ...kindOf(secret),
    label,
    createdAt: new Date().toISOString(),
  }
  const key = wrappingKey(await secretBytes(secret, described), repoId, id)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(additionalData(described))
  const wrapped = Buffer.concat([cipher.update(masterKey), cipher.final(), cipher.getAuthTag()])
  return { ...described, nonce: nonce.toString('hex'), wrapped: wrapped.toString('hex') }
}

/** The master key; undefined when the secret is another one, or the slot was damaged. */
export async function openSlot(slot: KeySlot, secret: KeySecret): Promise<Uint8Array | undefined> {
  if (slot.kind !== secret.kind) return undefined
  const key = wrappingKey(await secretBytes(secret, slot), slot.repoId, slot.id)
  const wrapped = Buffer.from(slot.wrapped, 'hex')
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(slot.nonce, 'hex'))
  decipher.setAAD(additionalData(slot))
  decipher.setAuthTag(wrapped.subarray(KEY_BYTES))
  const masterKey = decipher.update(wrapped.subarray(0, KEY_BYTES))
  try {
    decipher.final()
  } catch {
    return undefined
  }
  return new Uint8Array(masterKey)
}

export function encodeSlot(slot: KeySlot, masterKey: Uint8Array): Buffer {
  const line = JSON.stringify(slot)
  return Buffer.from(`${line}\n${slotSeal(masterKey, slot.repoId, line).toString('hex')}\n`)
}

export interface ParsedSlot {
  readonly slot: KeySlot
  /** Was it written by somebody who had the master key, and not altered since? */
  isAuthentic(masterKey: Uint8Array): boolean
}

/** Undefined: these bytes are no slot of this repository and id. */
export function parseSlot(
  { repoId, id }: Pick<KeySlot, 'repoId' | 'id'>,
  bytes: Buffer,
): ParsedSlot | undefined {
  const [, line = '', seal = ''] = /^([^\n]+)\n([0-9a-f]{64})\n$/.exec(bytes.toString('utf8')) ?? []
  const parsed = keySlot.safeParse(parseJson(line))
  if (!parsed.success || parsed.data.id !== id || parsed.data.repoId !== repoId) return undefined
  const slot = parsed.data
  return {
    slot,
    isAuthentic: (masterKey) => sameBytes(slotSeal(masterKey, slot.repoId, line), Buffer.from(seal, 'hex')),
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

function kindOf(secret: KeySecret) {
  if (secret.kind === 'passphrase') {
    const { n, r, p } = secret.cost ?? SCRYPT
    return { kind: secret.kind, scrypt: { n, r, p, salt: randomBytes(16).toString('hex') } }
  }
  if (secret.kind === 'key-manager') return { kind: secret.kind, reference: secret.reference }
  return { kind: secret.kind }
}

async function secretBytes(
  secret: KeySecret,
  slot: Pick<KeySlot, 'kind'> & { readonly scrypt?: z.infer<typeof scryptParameters> },
): Promise<Uint8Array> {
  if (secret.kind !== 'passphrase') return secret.key
  if (slot.scrypt === undefined) throw new TypeError('Expected a passphrase slot to have scrypt parameters')
  const { n, r, p, salt } = slot.scrypt
  const text = Buffer.from(secret.passphrase.normalize('NFC'))
  const options = { N: n, r, p, maxmem: 129 * n * r + 1024 * r * p }
  return promisify<Buffer, Buffer, number, object, Buffer>(scrypt)(
    text,
    Buffer.from(salt, 'hex'),
    KEY_BYTES,
    options,
  )
}

function additionalData({ repoId, id, kind }: Pick<KeySlot, 'repoId' | 'id' | 'kind'>): Buffer {
  return Buffer.from(`volflow-key-slot|1|${repoId}|${id}|${kind}`)
}
