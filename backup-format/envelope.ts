/**
 * The one shape of every object but repo.json: a 44-byte header, the (compressed) bytes under AES-256-GCM, and the 16-byte tag. The
 * object's key is part of what the tag covers, so an object that was moved, swapped or altered does not open.
 *
 *    0  4  magic "VFBO"
 *    4  1  version of this shape, 1
 *    5  1  codec: 0 stored, 1 zstd
 *    6  2  zero
 *    8  4  length of the plain bytes, little endian
 *   12  4  length of the encrypted bytes, little endian
 *   16 16  session id
 *   32 12  nonce
 *   44  …  encrypted bytes, then the tag
 */
import { type Cipheriv, createCipheriv, createDecipheriv, type Decipheriv, randomFillSync } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { DriverError } from '../domain/errors.ts'
import { KiB, MiB } from '../domain/sizes.ts'
import { type SealingKeys, sessionKey } from './keys.ts'
import { release } from './release.ts'

const ENVELOPE_VERSION = 1
const MAGIC = Buffer.from('VFBO')
const HEADER_BYTES = 44
const TAG_BYTES = 16
/** The next levels take a fifth more time for each 3 % of size. */
export const DEFAULT_COMPRESSION_LEVEL = 1
/** Below this, zstd's own frame eats up what it saves. */
const COMPRESS_MIN_BYTES = 256
const PROBE_MIN_BYTES = MiB
const PIECE_BYTES = 256 * KiB
const PROBES = 8
const PROBE_BYTES = 8 * KiB
const PROBE_LEVEL = 1
const CODEC = { stored: 0, zstd: 1 } as const
/** Nothing in a repository is larger when plain; a header that claims more is not ours. */
const PLAIN_MAX_BYTES = 64 * MiB
/** Sessions whose keys are remembered while reading; deriving one costs microseconds. */
const SESSION_KEYS_MAX = 256

/** What an object is called in messages. */
type ObjectKind =
  | 'chunk'
  | 'index page'
  | 'record'
  | 'journal page'
  | 'state'
  | 'condemned list'
  | 'domain key'

export interface Sealer {
  /** Compresses where that helps, encrypts. `into`, at least `sealedMaxBytes(plain)` long, saves an allocation. */
  seal(key: string, plain: Uint8Array, into?: Buffer): Buffer
  /** The plain bytes, in `sealed` itself where they were not compressed; it is used up. Anything but exactly what was sealed under this key: DriverError `corrupt` that names the object. */
  open(kind: ObjectKind, key: string, sealed: Uint8Array): Buffer
}

export function sealedMaxBytes(plainBytes: number): number {
  return HEADER_BYTES + plainBytes + TAG_BYTES
}

/** One sealer is one session: it encrypts under its own subkey, so that random nonces never meet those of another session. */
export function createSealer(
  keys: SealingKeys,
  { compressionLevel = DEFAULT_COMPRESSION_LEVEL }: { compressionLevel?: number } = {},
): Sealer {
  const session = randomFillSync(Buffer.alloc(16))
  const own = sessionKey(keys, session)
  const remembered = new Map<string, Uint8Array>([[session.toString('hex'), own]])
  return {
    seal: (key, plain, into) =>
      seal(
        keys.repoId,
        { session, key: own },
        { key, plain, packed: compress(plain, compressionLevel) },
        into,
      ),
    open: (kind, key, sealed) => {
      const header = readHeader(kind, key, sealed)
      return open(keys.repoId, recall(keys, remembered, header.session), kind, key, sealed, header)
    },
  }
}

function seal(
  repoId: string,
  session: { session: Buffer; key: Uint8Array },
  { key, plain, packed }: { key: string; plain: Uint8Array; packed: Uint8Array },
  into: Buffer = Buffer.allocUnsafe(sealedMaxBytes(plain.byteLength)),
): Buffer {
  const codec = packed === plain ? CODEC.stored : CODEC.zstd
  const nonce = randomFillSync(into, 32, 12).subarray(32, 44)
  MAGIC.copy(into, 0)
  into.writeUInt8(ENVELOPE_VERSION, 4)
  into.writeUInt8(codec, 5)
  into.writeUInt16LE(0, 6)
  into.writeUInt32LE(plain.byteLength, 8)
  into.writeUInt32LE(packed.byteLength, 12)
  session.session.copy(into, 16)
  const cipher = createCipheriv('aes-256-gcm', session.key, nonce)
  cipher.setAAD(additionalData(repoId, key, codec, plain.byteLength))
  let end = HEADER_BYTES
  end += transform(cipher, packed, into, end)
  end += cipher.final().copy(into, end)
  end += cipher.getAuthTag().copy(into, end)
  if (packed !== plain) release(packed)
  return into.subarray(0, end)
}

interface Header {
  readonly codec: number
  readonly plainBytes: number
  readonly session: Buffer
  readonly nonce: Buffer
}

function readHeader(kind: ObjectKind, key: string, bytes: Uint8Array): Header {
  const sealed = asBuffer(bytes)
  if (sealed.byteLength < HEADER_BYTES + TAG_BYTES || !sealed.subarray(0, 4).equals(MAGIC)) {
    throw corrupt(kind, key, 'it has no header of this format')
  }
  const version = sealed.readUInt8(4)
  // Not a newer one: repo.json would have said so.
  if (version !== ENVELOPE_VERSION) throw corrupt(kind, key, `its shape is of version ${version}`)
  const header = {
    codec: sealed.readUInt8(5),
    plainBytes: sealed.readUInt32LE(8),
    session: sealed.subarray(16, 32),
    nonce: sealed.subarray(32, 44),
  }
  const length = HEADER_BYTES + sealed.readUInt32LE(12) + TAG_BYTES
  if (length !== sealed.byteLength) {
    throw corrupt(kind, key, `it should be ${length} bytes long and is ${sealed.byteLength}`)
  }
  if (sealed.readUInt16LE(6) !== 0 || header.codec > CODEC.zstd || header.plainBytes > PLAIN_MAX_BYTES) {
    throw corrupt(kind, key, 'its header makes no sense')
  }
  return header
}

function open(
  repoId: string,
  secret: Uint8Array,
  kind: ObjectKind,
  key: string,
  bytes: Uint8Array,
  header: Header,
): Buffer {
  const sealed = asBuffer(bytes)
  const decipher = createDecipheriv('aes-256-gcm', secret, header.nonce)
  decipher.setAAD(additionalData(repoId, key, header.codec, header.plainBytes))
  decipher.setAuthTag(sealed.subarray(sealed.byteLength - TAG_BYTES))
  const packed = sealed.subarray(HEADER_BYTES, sealed.byteLength - TAG_BYTES)
  transform(decipher, packed, packed, 0)
  try {
    decipher.final()
  } catch (cause) {
    throw corrupt(kind, key, 'its bytes are not the ones that were written under this name', cause)
  }
  if (header.codec === CODEC.stored) return packed
  return decompress(packed, header.plainBytes)
}

/** Returns the length. In pieces: each needs a new buffer, and small ones are used again while they are in the processor's cache. */
function transform(cipher: Cipheriv | Decipheriv, from: Uint8Array, to: Buffer, at: number): number {
  for (let start = 0; start < from.byteLength; start += PIECE_BYTES) {
    const piece = cipher.update(from.subarray(start, start + PIECE_BYTES))
    piece.copy(to, at + start)
    release(piece)
  }
  return from.byteLength
}

/** The tag has been checked: these bytes were compressed by us. */
function decompress(packed: Buffer, plainBytes: number): Buffer {
  return zstdDecompressSync(packed, { chunkSize: outputBytes(plainBytes), maxOutputLength: plainBytes })
}

/** The same array when compression does not shrink it. */
function compress(plain: Uint8Array, level: number): Uint8Array {
  if (level === 0 || plain.byteLength < COMPRESS_MIN_BYTES || looksRandom(plain)) return plain
  const packed = zstdCompressSync(plain, {
    ...zstd(level),
    chunkSize: outputBytes(plain.byteLength),
    pledgedSrcSize: plain.byteLength,
  })
  return packed.byteLength < plain.byteLength ? packed : plain
}

/** Compressing what does not shrink costs as much as all the rest; a few samples tell. */
function looksRandom(plain: Uint8Array): boolean {
  if (plain.byteLength < PROBE_MIN_BYTES) return false
  const step = Math.floor(plain.byteLength / PROBES)
  for (let probe = 0; probe < PROBES; probe += 1) {
    const sample = plain.subarray(probe * step, probe * step + PROBE_BYTES)
    if (zstdCompressSync(sample, zstd(PROBE_LEVEL)).byteLength < PROBE_BYTES * 0.97) return false
  }
  return true
}

function zstd(level: number) {
  return { params: { [constants.ZSTD_c_compressionLevel]: level } }
}

/** One output buffer that certainly suffices: with the default of 16 KiB, zstd spends its time in piecing buffers together. */
function outputBytes(plainBytes: number): number {
  return plainBytes + (plainBytes >> 7) + KiB
}

function additionalData(repoId: string, key: string, codec: number, plainBytes: number): Buffer {
  return Buffer.from(`volflow-backup|${ENVELOPE_VERSION}|${repoId}|${key}|${codec}|${plainBytes}`)
}

function recall(keys: SealingKeys, remembered: Map<string, Uint8Array>, session: Buffer): Uint8Array {
  const name = session.toString('hex')
  const known = remembered.get(name)
  if (known !== undefined) return known
  if (remembered.size >= SESSION_KEYS_MAX) remembered.clear()
  const key = sessionKey(keys, session)
  remembered.set(name, key)
  return key
}

function corrupt(kind: ObjectKind, key: string, what: string, cause?: unknown): DriverError {
  return new DriverError('corrupt', `Expected ${kind} ${key} to be intact, but ${what}`, { cause })
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
