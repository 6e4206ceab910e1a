/** One chunk on its way into a store: read, hashed, compressed, stored under the name that Cinder would give it. */
import { hash } from 'node:crypto'
import { constants, deflateSync, zstdCompressSync } from 'node:zlib'
import type { BlockReader } from '../../block-io/device.ts'
import { SHA_BLOCK_BYTES, SHA256_BYTES } from './sha256-file.ts'
import type { CinderStore } from './store.ts'

/** What we write: bz2 is slower than either, and no smaller than zstd. */
export type WrittenCompression = 'none' | 'zlib' | 'zstd'

export interface ChunkUploadTask {
  readonly key: string
  readonly offset: number
  readonly length: number
  /** Bytes of the object that an earlier attempt stored: it is hashed again, and not stored again. */
  readonly storedBytes: number | undefined
  /** The source says that it is all zeroes: nothing is read. */
  readonly zero: boolean
}

export interface UploadedChunk {
  /** Packed, of each block. */
  readonly sha256s: Uint8Array
  readonly md5: string
  readonly compression: WrittenCompression
  readonly storedBytes: number
  readonly outcome: 'stored' | 'present'
}

export interface ChunkUploadSetup {
  readonly compression: WrittenCompression
}

export function createChunkUpload(
  reader: BlockReader,
  store: CinderStore,
  { compression }: ChunkUploadSetup,
) {
  /** Chunks of zeroes of this length: most of a sparse volume. */
  let zeroes: { length: number; hashed: Hashed; packed: Packed } | undefined

  return async (task: ChunkUploadTask, signal: AbortSignal): Promise<UploadedChunk> => {
    const { key, length, storedBytes, zero } = task
    const known = zero && zeroes?.length === length ? zeroes : undefined
    const bytes = known === undefined ? await readBytes(reader, task) : undefined
    const hashed = known?.hashed ?? hashAll(bytes ?? Buffer.of())
    signal.throwIfAborted()
    if (storedBytes !== undefined) {
      // Cinder keeps what compression did not shrink as it is, and so do we: the size tells.
      const stored = { compression: storedBytes < length ? compression : ('none' as const), storedBytes }
      return { ...hashed, ...stored, outcome: 'present' }
    }
    const packed = known?.packed ?? compress(bytes ?? Buffer.of(), compression)
    if (zero) zeroes = { length, hashed, packed }
    await store.put(key, packed.bytes, { signal })
    const { bytes: stored, ...how } = packed
    return { ...hashed, ...how, storedBytes: stored.byteLength, outcome: 'stored' }
  }

  async function readBytes(from: BlockReader, { offset, length, zero }: ChunkUploadTask): Promise<Buffer> {
    if (zero) return Buffer.alloc(length)
    const bytes = Buffer.allocUnsafeSlow(length)
    await from.read(bytes, offset)
    return bytes
  }
}

interface Hashed {
  readonly sha256s: Uint8Array
  readonly md5: string
}

function hashAll(bytes: Buffer): Hashed {
  const blocks = Math.ceil(bytes.length / SHA_BLOCK_BYTES)
  const sha256s = new Uint8Array(blocks * SHA256_BYTES)
  for (let block = 0; block < blocks; block += 1) {
    const part = bytes.subarray(block * SHA_BLOCK_BYTES, (block + 1) * SHA_BLOCK_BYTES)
    sha256s.set(hash('sha256', part, 'buffer'), block * SHA256_BYTES)
  }
  return { sha256s, md5: hash('md5', bytes) }
}

interface Packed {
  readonly bytes: Buffer
  readonly compression: WrittenCompression
}

function compress(bytes: Buffer, compression: WrittenCompression): Packed {
  if (compression === 'none') return { bytes, compression }
  const smaller = compression === 'zlib' ? deflateSync(bytes) : zstd(bytes)
  return smaller.length < bytes.length ? { bytes: smaller, compression } : { bytes, compression: 'none' }
}

/** Cinder's library reads only frames that say how long they become. */
function zstd(bytes: Buffer): Buffer {
  const params = { [constants.ZSTD_c_contentSizeFlag]: 1 }
  return zstdCompressSync(bytes, { params, pledgedSrcSize: bytes.length })
}
