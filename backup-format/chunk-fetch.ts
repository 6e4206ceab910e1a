import { DriverError } from '../domain/errors.ts'
import type { Entry } from './entry.ts'
import { createSealer } from './envelope.ts'
import { contentId, type SealingKeys } from './keys.ts'
import { blobKey } from './names.ts'
import type { BackupTarget } from './target.ts'

/** `missing` and `damaged`: not what was stored under this name. */
export type FetchedChunk = Buffer | 'missing' | 'damaged'

/** Reads chunks of one domain: fetched, authenticated, and hashed again. The bytes are the caller's to release. */
export function createChunkFetch(
  target: BackupTarget,
  { domain, keys }: { domain: string; keys: SealingKeys },
) {
  const sealer = createSealer(keys)
  return async (entry: Entry, length: number, signal: AbortSignal): Promise<FetchedChunk> => {
    const key = blobKey('chunk', domain, entry)
    const stored = await target.get(key, { signal })
    if (stored === undefined) return 'missing'
    try {
      const plain = sealer.open('chunk', key, stored.bytes)
      return plain.byteLength === length && contentId(keys, plain) === entry.id ? plain : 'damaged'
    } catch (error) {
      if (error instanceof DriverError && error.kind === 'corrupt') return 'damaged'
      throw error
    }
  }
}
