import type { BlockReader } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import type { UploadSource } from './upload-request.ts'

/** In any thread. What a volume does not need is loaded by those who do: it takes a thread longer than all the rest. */
export async function openUploadSource(source: UploadSource): Promise<BlockReader> {
  if (source.kind === 'backup') return (await import('./backup-reader.ts')).openBackupSource(source)
  if (source.kind === 'cinder-backup')
    return (await import('./cinder/backup-reader.ts')).openCinderSource(source)
  return openReader(source)
}
