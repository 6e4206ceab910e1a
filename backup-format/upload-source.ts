import type { BlockReader } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { openBackupSource } from './backup-reader.ts'
import type { UploadSource } from './upload-request.ts'

/** In any thread. */
export function openUploadSource(source: UploadSource): Promise<BlockReader> {
  return source.kind === 'backup' ? openBackupSource(source) : openReader(source)
}
