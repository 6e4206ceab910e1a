import type { ByteRange } from '../block-io/device.ts'
import { BackupReader, type BackupLayout } from './backup-reader.ts'
import { chunkCount, chunkLength } from './geometry.ts'
import type { BackupTarget } from './target.ts'

/** Where two backups in one repository differ, chunk by chunk: their indexes tell. Equal index pages are not even read. */
export async function changedChunks(
  target: BackupTarget,
  before: BackupLayout,
  after: BackupLayout,
): Promise<ByteRange[]> {
  const [old, now] = [new BackupReader(target, before), new BackupReader(target, after)]
  const { chunkBytes, pageEntries, sizeBytes, pages } = after
  const changed: ByteRange[] = []
  const add = (offset: number, length: number) => {
    const last = changed.at(-1)
    if (last !== undefined && last.offset + last.length === offset)
      changed[changed.length - 1] = { offset: last.offset, length: last.length + length }
    else changed.push({ offset, length })
  }
  for (const [page, name] of pages.entries()) {
    if (before.pages[page] === name) continue
    const end = Math.min((page + 1) * pageEntries, chunkCount(chunkBytes, sizeBytes))
    for (let chunk = page * pageEntries; chunk < end; chunk += 1) {
      const length = chunkLength(chunk, chunkBytes, sizeBytes)
      const known = chunkLength(chunk, chunkBytes, before.sizeBytes) === length
      const [from, to] = [known ? await old.entry(chunk) : undefined, await now.entry(chunk)]
      if (!known || from?.id !== to?.id) add(chunk * chunkBytes, length)
    }
  }
  return changed
}
