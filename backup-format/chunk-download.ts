/**
 * One chunk on its way back to a volume that does not hold it yet: fetched, decrypted, checked against its id, written. Runs inside
 * worker threads.
 */
import type { BlockReader, BlockWriter } from '../block-io/device.ts'
import { DriverError } from '../domain/errors.ts'
import type { Entry } from './entry.ts'
import { createSealer } from './envelope.ts'
import { contentId, type SealingKeys } from './keys.ts'
import { blobKey } from './names.ts'
import { release } from './release.ts'
import type { BackupTarget } from './target.ts'

export interface DownloadTask {
  readonly offset: number
  readonly length: number
  readonly entry: Entry
}

export interface ChunkDownloadSetup {
  readonly domain: string
  readonly keys: SealingKeys
}

export interface ChunkDestination {
  readonly writer: BlockWriter
  /** What the destination holds, to compare with; undefined: nothing that could be of use. */
  readonly present: BlockReader | undefined
}

/** The function answers how many bytes it had to write. */
export function createChunkDownload(
  { writer, present }: ChunkDestination,
  target: BackupTarget,
  setup: ChunkDownloadSetup,
) {
  const { domain, keys } = setup
  const sealer = createSealer(keys)
  return async ({ offset, length, entry }: DownloadTask, signal: AbortSignal): Promise<number> => {
    if (present !== undefined && (await idAt(present, keys, offset, length)) === entry.id) return 0
    signal.throwIfAborted()
    const key = blobKey('chunk', domain, entry)
    const stored = await target.get(key, { signal })
    if (stored === undefined) throw new DriverError('corrupt', `Expected chunk ${key}, it is missing`)
    const plain = sealer.open('chunk', key, stored.bytes)
    if (plain.byteLength !== length || contentId(keys, plain) !== entry.id) {
      throw new DriverError(
        'corrupt',
        `Expected chunk ${key} to hold the bytes that its name says, it does not`,
      )
    }
    signal.throwIfAborted()
    await writer.write(plain, offset)
    release(plain)
    return length
  }
}

/** Ids are keyed hashes of the plain bytes: equal ids are equal chunks. */
async function idAt(reader: BlockReader, keys: SealingKeys, offset: number, length: number): Promise<string> {
  const bytes = Buffer.allocUnsafeSlow(length)
  await reader.read(bytes, offset)
  const id = contentId(keys, bytes)
  release(bytes)
  return id
}
