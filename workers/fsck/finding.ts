/** What can be wrong. The codes are stable: scripts rely on them, and docs/fsck-and-doctor.md lists them. */
export const SEVERITIES = {
  'volume-missing': 'error',
  'snapshot-missing': 'error',
  'image-missing': 'error',
  'backup-missing': 'error',
  'size-mismatch': 'error',
  'broken-chain': 'error',
  'chunk-missing': 'error',
  'object-missing': 'error',
  'record-unreadable': 'error',
  'project-key-damaged': 'error',
  'parent-missing': 'error',
  'place-unknown': 'error',
  'place-unreachable': 'error',
  'temporal-unreachable': 'error',
  'busy-without-operation': 'error',
  'operation-without-workflow': 'error',
  'workflow-without-operation': 'error',
  'lock-left': 'error',
  'attempt-left': 'warning',
  'artifact-left': 'warning',
  'upload-left': 'warning',
  'volume-orphaned': 'warning',
  'snapshot-orphaned': 'warning',
  'image-orphaned': 'warning',
  'stage-orphaned': 'warning',
  'record-orphaned': 'warning',
  'record-open': 'warning',
  'object-unnamed': 'warning',
  'object-orphaned': 'warning',
  'key-slot-damaged': 'warning',
  'leftover-temporary': 'warning',
} as const

export type FindingCode = keyof typeof SEVERITIES

export interface Finding {
  readonly code: FindingCode
  /** `database`, `backend files`, `store local`, `target s3`, `temporal`, `host`. */
  readonly where: string
  /** With `code` and `where` it says which one: `volume 1f…`. */
  readonly what: string
  readonly explanation: string
  /** What a person can do about it; for what is mended here, what that does. */
  readonly next: string
  readonly mend?: Mend
}

export interface Mend {
  /** The option with which it is done. */
  readonly needs: 'repair' | 'delete-orphans'
  /** May be repeated. The next look tells whether it helped. */
  readonly run: () => Promise<void>
}

/** Looks at one side of the installation. Everything it yields is looked at a second time. */
export interface Check {
  readonly name: string
  readonly find: () => AsyncIterable<Finding>
}

export function keyOf({ code, where, what }: Finding): string {
  return `${code}\n${where}\n${what}`
}
