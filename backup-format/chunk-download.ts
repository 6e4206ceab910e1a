/**
 * One chunk on its way back to a volume that does not hold it yet: fetched, decrypted, checked against its id, written. Runs inside
 * worker threads.
 */
import type { BlockReader, BlockWriter } from '../block-io/device.ts'
import { nonZeroRuns } from '../block-io/zeroes.ts'
import { DriverError } from '../domain/errors.ts'
import type { Entry } from './entry.ts'
import { bufferPool } from './buffer-pool.ts'
import { createSealer, sealedMaxBytes } from './envelope.ts'
import { contentId, type SealingKeys } from './keys.ts'
import { blobKey } from './names.ts'
import type { BackupTarget } from './target.ts'
import { becomesIdle, takeIdleAway } from './unpacked-buffers.ts'

export interface DownloadTask {
  readonly offset: number
  readonly length: number
  readonly entry: Entry
}

export interface ChunkDownloadSetup {
  readonly domain: string
  readonly keys: SealingKeys
  readonly chunkBytes: number
}

export interface ChunkDestination {
  readonly writer: BlockWriter
  /** What the destination holds, to compare with; undefined: zeroes. */
  readonly present: BlockReader | undefined
}

/** The function answers how many bytes it had to write. */
export function createChunkDownload(
  { writer, present }: ChunkDestination,
  target: BackupTarget,
  { domain, keys, chunkBytes }: ChunkDownloadSetup,
) {
  const sealer = createSealer(keys)
  const sealedBuffers = bufferPool(sealedMaxBytes(chunkBytes))
  const presentBuffers = bufferPool(chunkBytes)

  const isPresent = async ({ offset, length, entry }: DownloadTask, reader: BlockReader): Promise<boolean> =>
    presentBuffers.lend(async (buffer) => {
      const bytes = buffer.subarray(0, length)
      await reader.read(bytes, offset)
      // Ids are keyed hashes of the plain bytes: equal ids are equal chunks.
      return contentId(keys, bytes) === entry.id
    })

  /** Where zeroes are already, none are written. */
  const write = async (plain: Buffer, offset: number): Promise<number> => {
    let writtenBytes = 0
    for (const run of present === undefined ? nonZeroRuns(plain) : [plain]) {
      await writer.write(run, offset + run.byteOffset - plain.byteOffset)
      writtenBytes += run.byteLength
    }
    return writtenBytes
  }

  return async (task: DownloadTask, signal: AbortSignal): Promise<number> => {
    if (present !== undefined && (await isPresent(task, present))) return 0
    signal.throwIfAborted()
    const { offset, length, entry } = task
    const key = blobKey('chunk', domain, entry)
    return sealedBuffers.lend(async (into) => {
      const stored = await target.get(key, { signal, into })
      if (stored === undefined) throw new DriverError('corrupt', `Expected chunk ${key}, it is missing`)
      const plain = sealer.open('chunk', key, stored.bytes)
      const isUnpacked = plain.buffer !== into.buffer
      if (isUnpacked) takeIdleAway()
      if (plain.byteLength !== length || contentId(keys, plain) !== entry.id) {
        throw new DriverError(
          'corrupt',
          `Expected chunk ${key} to hold the bytes that its name says, it does not`,
        )
      }
      signal.throwIfAborted()
      const writtenBytes = await write(plain, offset)
      if (isUnpacked) becomesIdle(plain)
      return writtenBytes
    })
  }
}
