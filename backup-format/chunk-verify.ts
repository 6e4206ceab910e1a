/** One chunk of a backup, looked at in the target or compared with a volume. Runs inside worker threads. */
import type { BlockReader } from '../block-io/device.ts'
import { createChunkFetch } from './chunk-fetch.ts'
import type { Entry } from './entry.ts'
import { contentId, type SealingKeys } from './keys.ts'
import { release } from './release.ts'
import type { BackupTarget } from './target.ts'

/** `different`: the chunk is not asked for, the volume that is compared has other bytes. */
export type ChunkFinding = 'good' | 'missing' | 'damaged' | 'different'

export interface VerifyTask {
  readonly offset: number
  readonly length: number
  readonly entry: Entry
}

export interface ChunkVerifySetup {
  readonly domain: string
  readonly keys: SealingKeys
}

/** With a volume, that is compared with the index and the target is not asked; without, the chunk is fetched, opened and hashed again. */
export function createChunkVerify(
  target: BackupTarget,
  volume: BlockReader | undefined,
  setup: ChunkVerifySetup,
) {
  const fetchChunk = createChunkFetch(target, setup)
  return async ({ offset, length, entry }: VerifyTask, signal: AbortSignal): Promise<ChunkFinding> => {
    if (volume === undefined) {
      const fetched = await fetchChunk(entry, length, signal)
      if (typeof fetched === 'string') return fetched
      release(fetched)
      return 'good'
    }
    const bytes = Buffer.allocUnsafeSlow(length)
    await volume.read(bytes, offset)
    const same = contentId(setup.keys, bytes) === entry.id
    release(bytes)
    return same ? 'good' : 'different'
  }
}
