import type { ByteRange, DeviceSpec } from '../block-io/device.ts'
import type { BackupSource } from './backup-reader.ts'
import type { CinderSource } from './cinder/backup-reader.ts'
import type { UploadIdentity } from './open-upload.ts'
import type { ThreadTarget } from './thread-target.ts'

/** A volume, or a backup in another repository or in Cinder's format. */
export type UploadSource = DeviceSpec | BackupSource | CinderSource

export interface UploadRequest extends UploadIdentity {
  readonly source: UploadSource
  /** What changed since the parent; 'unknown': everything that is allocated is read. */
  readonly changedRanges?: readonly ByteRange[] | 'unknown'
  /** How many chunks a crash may cost; LIMITS.journalChunks unless told. */
  readonly journalChunks?: number
  /** Of zstd, for chunks; 0 stores them as they are. DEFAULT_COMPRESSION_LEVEL unless told. */
  readonly compressionLevel?: number
  readonly signal: AbortSignal
  /** Waits until so many bytes may be moved. */
  readonly pace?: (bytes: number) => Promise<void>
  readonly onProgress?: (progress: UploadProgress) => void
  /** What was uploaded so far will not be repeated, whatever happens. */
  readonly onCheckpoint?: () => Promise<void>
  /** Where worker threads do the work; absent: this thread does it, with the repository's own target. */
  readonly threads?: ThreadTarget & { readonly count: number }
}

export interface UploadProgress {
  readonly doneBytes: number
  readonly totalBytes: number
  /** Of this and earlier attempts. */
  readonly objectBytes: number
  readonly chunksStored: number
  /** Uploaded by this attempt although the target had them already. */
  readonly redoneChunks: number
}
