import type { BlockReader } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { openBackupSource } from './backup-reader.ts'
import { openCinderSource } from './cinder/backup-reader.ts'
import type { UploadSource } from './upload-request.ts'

/** In any thread. */
export function openUploadSource(source: UploadSource): Promise<BlockReader> {
  if (source.kind === 'backup') return openBackupSource(source)
  if (source.kind === 'cinder-backup') return openCinderSource(source)
  return openReader(source)
}
