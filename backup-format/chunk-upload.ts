/** One chunk on its way into the target: read, test for zeroes, identify, compress, encrypt, store. Runs inside worker threads. */
import type { BlockReader } from '../block-io/device.ts'
import { LIMITS } from '../domain/limits.ts'
import { KiB } from '../domain/sizes.ts'
import { bufferPool } from './buffer-pool.ts'
import type { Entry } from './entry.ts'
import { createSealer, sealedMaxBytes } from './envelope.ts'
import { contentId, type SealingKeys } from './keys.ts'
import { createLine } from './line.ts'
import { blobKey } from './names.ts'
import { heal, type Quarantined } from './quarantine.ts'
import type { BackupTarget } from './target.ts'

export interface UploadTask {
  readonly offset: number
  readonly length: number
  readonly epoch: number
  /** The parent's entry for this chunk, if it may be used again. */
  readonly parent: Entry | undefined
}

export interface UploadedChunk {
  readonly entry: Entry | undefined
  /** `present`: the target had this object already, under this very key. */
  readonly outcome: 'zero' | 'reused' | 'stored' | 'present'
  /** Damaged objects with these bytes that were stored anew. */
  readonly healed: number
}

export interface ChunkUploadSetup {
  readonly domain: string
  readonly keys: SealingKeys
  readonly chunkBytes: number
  readonly compressionLevel: number
  readonly quarantined: Quarantined
}

const ZEROES = Buffer.alloc(64 * KiB)

/** A chunk is read, and sealed, in a plain buffer; while its sealed bytes are on their way, the next one uses it. */
export function createChunkUpload(reader: BlockReader, target: BackupTarget, setup: ChunkUploadSetup) {
  const { domain, keys, chunkBytes, compressionLevel, quarantined } = setup
  const sealer = createSealer(keys, { compressionLevel })
  const plainBuffers = bufferPool(chunkBytes)
  const sealedBuffers = bufferPool(sealedMaxBytes(chunkBytes))
  const readers = createLine(LIMITS.readsPerThread)

  /** Ends here for a chunk that needs no object. */
  const prepare = async (task: UploadTask, into: Buffer, signal: AbortSignal): Promise<Prepared> =>
    plainBuffers.lend(async (buffer) => {
      const plain = buffer.subarray(0, task.length)
      await reader.read(plain, task.offset)
      signal.throwIfAborted()
      if (isZero(plain)) return { entry: undefined, outcome: 'zero', healed: 0 }
      const id = contentId(keys, plain)
      const healed = await heal({ target, domain, sealer }, quarantined, { kind: 'chunk', id, plain })
      if (id === task.parent?.id) return { entry: task.parent, outcome: 'reused', healed }
      const key = blobKey('chunk', domain, { id, epoch: task.epoch })
      const sealed = sealer.seal(key, plain, into)
      return { entry: { id, epoch: task.epoch, objectBytes: sealed.byteLength }, key, sealed, healed }
    })

  return (task: UploadTask, signal: AbortSignal): Promise<UploadedChunk> =>
    sealedBuffers.lend(async (into) => {
      const prepared = await readers.pass(() => prepare(task, into, signal))
      if ('outcome' in prepared) return prepared
      const { entry, key, sealed, healed } = prepared
      const stored = await target.putIfAbsent(key, sealed, { signal })
      return { entry, outcome: stored === 'created' ? 'stored' : 'present', healed }
    })
}

type Prepared =
  | UploadedChunk
  | { readonly entry: Entry; readonly key: string; readonly sealed: Buffer; readonly healed: number }

/** Data shows itself in the first piece, nearly always. */
function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.byteLength; at += ZEROES.byteLength) {
    const piece = bytes.subarray(at, at + ZEROES.byteLength)
    if (!piece.equals(ZEROES.subarray(0, piece.byteLength))) return false
  }
  return true
}
