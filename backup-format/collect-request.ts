import type { BackupRequest } from './commit.ts'

export interface CollectRequest {
  /** Repeated under the same name after a crash, a collection goes on, and its accounts stay whole. */
  readonly job?: string
  /** Asked about each open backup that holds the collection up: may it be aborted, because nobody works on it any more? */
  readonly abortable?: (backup: BackupRequest) => boolean | Promise<boolean>
  /** Deletes even more than LIMITS.collectShareMax of everything. */
  readonly force?: boolean
  /** A folder of this collection's own, for what does not fit into memory; it need not exist. Absent: everything is kept in memory. */
  readonly spillFolder?: string
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: CollectProgress) => void
}

export interface CollectProgress {
  readonly phase: 'marking' | 'listing' | 'waiting' | 'marking again' | 'deleting'
  /** Of index pages while marking, of objects otherwise. */
  readonly doneBytes: number
  /** 0: not known. */
  readonly totalBytes: number
}
