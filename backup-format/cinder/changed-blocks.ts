import type { ByteRange } from '../../block-io/device.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { CinderLayout } from './backup-reader.ts'
import { readHashes } from './sha256-file.ts'
import type { CinderStore } from './store.ts'

/**
 * Where two backups of a volume differ, block by block: their files of hashes tell, whether or not one builds on the other. `unknown`: they
 * cannot be compared.
 */
export async function changedBlocks(
  store: CinderStore,
  { sha256: before }: CinderLayout,
  { sha256: after, sizeBytes }: CinderLayout,
): Promise<readonly ByteRange[] | 'unknown'> {
  if (before === undefined || after === undefined || before.blockBytes !== after.blockBytes) return 'unknown'
  const { blockBytes } = after
  const changed: ByteRange[] = []
  for (let first = 0; first < after.blocks; first += LIMITS.cinderShaPageBlocks) {
    const [old, now] = await Promise.all([readHashes(store, before, first), readHashes(store, after, first)])
    for (const [index, hash] of now.entries()) {
      if (old[index] === hash) continue
      const offset = (first + index) * blockBytes
      const length = Math.min(blockBytes, sizeBytes - offset)
      const last = changed.at(-1)
      if (last !== undefined && last.offset + last.length === offset)
        changed[changed.length - 1] = { offset: last.offset, length: last.length + length }
      else changed.push({ offset, length })
    }
  }
  return changed
}
