import type { OpenDevice } from '../../block-io/device.ts'
import type { CopySource, DiffExport } from '../volumes/driver.ts'

export interface BackupRef {
  readonly backupId: string
  /** The volume of which it is a backup; left out: it is looked for. */
  readonly volumeId?: string
}

export interface PoolWrite {
  readonly backupId: string
  readonly volumeId: string
  /** The backup from which the source tells the differences; null: it tells everything. */
  readonly parentBackupId: string | null
  readonly source: DiffExport
  readonly signal: AbortSignal
  /** Waits until so many bytes may be moved. */
  readonly pace: (bytes: number) => Promise<void>
  /** `preparing`: the image gets the bytes of the parent first. */
  readonly onProgress: (progress: {
    readonly phase: 'preparing' | 'uploading'
    readonly doneBytes: number
    readonly movedBytes: number
  }) => void
}

export interface PooledBackup {
  readonly volumeId: string
  readonly backupId: string
  readonly sizeBytes: number
  readonly madeAtMs: number
}

/** Also one that Cinder's Ceph driver wrote. */
export interface FoundInPool extends PooledBackup {
  readonly parentBackupId: string | null
  readonly storedBytes: number
}

/**
 * A target that keeps the backups of a volume as snapshots of one image, beside the volumes. Each is whole by itself, and any of them can be
 * deleted. Every method may be called again after a crash at any point. Backups of one volume are written one at a time, and none is
 * deleted meanwhile (locks are rows). All failures are DriverError.
 */
export interface BackupPool {
  readonly kind: string
  /** There already: fine. The source is in another cluster: `unsupported`. */
  writeBackup(request: PoolWrite): Promise<{ movedBytes: number }>
  findBackup(ref: BackupRef): Promise<PooledBackup | undefined>
  /** To be read. Missing: `notFound`. */
  openBackup(ref: BackupRef): Promise<OpenDevice>
  /** For a backend that may copy it. Missing: `notFound`. */
  copySource(ref: BackupRef): Promise<CopySource>
  /** With whatever was written of one that was not finished. Missing: fine. */
  deleteBackup(ref: BackupRef): Promise<void>
  /** What is there, to be imported: ours, and those of Cinder's Ceph driver. */
  found(): AsyncGenerator<FoundInPool>
  /** What is there of ours, for fsck. `empty`: images without a backup. */
  list(): AsyncGenerator<PooledBackup | { readonly empty: string; readonly volumeId: string }>
}
