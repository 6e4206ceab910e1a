/** What every kind of operation needs: its specification, what it locks, and what its resources become when it ends. */

import { IMAGE_TRANSITIONS } from './glance-status.ts'
import type { OperationResult } from './progress.ts'
import type { VerifyLevel } from './verification.ts'

export type ResourceType = 'image' | 'volume' | 'snapshot' | 'backup' | 'target'
export type LockMode = 'shared' | 'exclusive'
export type OperationState = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled'
export type OperationOutcome = Exclude<OperationState, 'pending' | 'running'>

/** What is written when an operation ends. */
export interface OperationEnd {
  readonly outcome: OperationOutcome
  readonly result?: OperationResult
  readonly error?: { readonly code: string; readonly message: string }
}

/** The guest that has the volume open; left out: nobody has. */
interface InUse {
  readonly guest?: string
}

/** The frozen specification of each kind: ids, names of places and sizes; never a secret, never bulk data. */
export interface OperationSpecs {
  'upload-image': { imageId: string; store: string; diskFormat: 'raw' | 'qcow2' }
  'create-volume': { volumeId: string; backend: string; sizeBytes: number }
  'create-volume-from-image': {
    volumeId: string
    backend: string
    sizeBytes: number
    imageId: string
    store: string
    diskFormat: 'raw' | 'qcow2'
    virtualSizeBytes: number
  }
  'create-volume-from-snapshot': {
    volumeId: string
    backend: string
    sizeBytes: number
    snapshotId: string
    sourceVolumeId: string
    snapshotSizeBytes: number
    flatten: boolean
  }
  /** `snapshotId` is a snapshot of the source that lives as long as the operation. */
  'clone-volume': OperationSpecs['create-volume-from-snapshot'] & InUse
  'restore-backup': {
    volumeId: string
    backend: string
    sizeBytes: number
    backupId: string
    target: string
    projectId: string
  }
  'upload-volume-to-image': {
    imageId: string
    store: string
    diskFormat: 'raw' | 'qcow2'
    volumeId: string
    backend: string
    sizeBytes: number
  }
  'restore-backup-into-volume': {
    volumeId: string
    backend: string
    sizeBytes: number
    backupId: string
    target: string
    projectId: string
    /** The volume that gets the new bytes and takes the place of the old one at the commit. */
    contentId: string
    /** Exists while the old bytes are cloned. */
    snapshotId: string
    /** Of this volume, and holds what the backup holds. Left out: there is none, or the target does not make use of it. */
    backupSnapshotId?: string
  }
  'reimage-volume': {
    volumeId: string
    backend: string
    sizeBytes: number
    imageId: string
    store: string
    diskFormat: 'raw' | 'qcow2'
    virtualSizeBytes: number
    contentId: string
  }
  'migrate-volume': {
    volumeId: string
    backend: string
    toBackend: string
    sizeBytes: number
    /** What the volume is of afterwards; left out: what it was. */
    volumeType?: { readonly id: string; readonly name: string }
  }
  /** What somebody else put into the backend under `sourceName` becomes the volume; how large it is, is known when it has. */
  'manage-volume': { volumeId: string; backend: string; sourceName: string }
  'unmanage-volume': { volumeId: string; backend: string }
  /** `contentId`: the volume that gets the bytes where they cannot be put into place one by one. */
  'flatten-volume': { volumeId: string; backend: string; sizeBytes: number; contentId: string } & InUse
  /** `snapshotIds`: all that the volume has, which go before it. */
  /** `givesBack`: managing it did not end, so that its bytes, if it has them, are somebody else's and stay. */
  'delete-volume': {
    volumeId: string
    backend: string
    snapshotIds?: readonly string[]
    givesBack?: boolean
  }
  'extend-volume': { volumeId: string; backend: string; sizeBytes: number } & InUse
  'attach-volume': { volumeId: string; backend: string; attachmentId: string } & InUse
  'detach-volume': { volumeId: string; backend: string }
  /** `sizeBytes` is the volume's, which it keeps. */
  'revert-to-snapshot': { volumeId: string; snapshotId: string; backend: string; sizeBytes: number }
  /** Of an image in `store`, which has `sha512`, to `toStore`. */
  'copy-image': { imageId: string; store: string; toStore: string; sha512: string; sizeBytes: number }
  /** `copies`: the stores that have its bytes besides its own. */
  'delete-image': { imageId: string; store: string; copies?: readonly string[] }
  'create-snapshot': { snapshotId: string; volumeId: string; backend: string } & InUse
  'delete-snapshot': { snapshotId: string; volumeId: string; backend: string }
  'create-backup': {
    backupId: string
    volumeId: string
    backend: string
    target: string
    projectId: string
    sizeBytes: number
    /** The snapshot that is read: the user's, or one that this operation makes and removes. */
    snapshotId: string
    temporarySnapshot: boolean
    /** The temporary snapshot stays after success, to be compared with by the next backup. */
    keepSnapshot?: boolean
    parentBackupId: string | null
    /** Holds what the parent holds: what changed since is all that must be read. */
    parentSnapshotId?: string | null
  } & InUse
  /** In the background, see database/operations/layers.ts. */
  'merge-layers': { volumeId: string; backend: string }
  /** `volumeId`: of which it is a backup, where the target keeps it beside the others of that volume. */
  'delete-backup': { backupId: string; target: string; projectId: string; volumeId?: string }
  /** `dryRun`: only says what it would delete. `force`: however much that is. */
  'collect-target': { target: string; dryRun?: boolean; force?: boolean }
  'verify-backup': {
    backupId: string
    target: string
    projectId: string
    sizeBytes: number
    level: VerifyLevel
    samplePercent: number
    /** Of level `restore`: where the backup is restored to a volume that lives as long as the operation. */
    backend: string | null
    volumeId: string
    /** A backup of the same bytes in another target, from which damaged chunks are healed. */
    healFrom: { backupId: string; target: string } | null
  }
  'copy-backup': {
    backupId: string
    target: string
    projectId: string
    volumeId: string
    sizeBytes: number
    sourceBackupId: string
    sourceTarget: string
    /** A copy in the same target, and of which backup: only what differs between the two originals is copied. */
    parentBackupId: string | null
    parentSourceId: string | null
  }
  /** Backups of every project that the target has and the database does not know. */
  /** Whose backups are that do not say it themselves: those in pools. */
  'import-target': { target: string; projectId: string; userId: string }
  /** Finds the backups in a target in Cinder's format; with `only` this one, whose objects begin with that key. */
  'scan-target': { target: string; projectId: string; userId: string; only: string | null }
  /** Of a backup in Cinder's format, on which others may build: they get its content first. */
  'unlink-backup': { backupId: string; target: string; projectId: string; parentBackupId: string | null }
}

export type OperationKind = keyof OperationSpecs

/** Temporal's priority keys: of what waits for a worker, the lower number goes first. */
export const PRIORITY = { interactive: 3, scheduled: 4, background: 5 } as const
export type Priority = (typeof PRIORITY)[keyof typeof PRIORITY]

/** Work that nobody waits for: whoever needs what it holds cancels it, and goes on when it has ended. */
export const YIELDING: ReadonlySet<OperationKind> = new Set(['merge-layers'])

/**
 * A resource's part in an operation. `previous` is the status it had before; `gone` removes its row. A volume is not `available` but
 * `in-use` while it is attached, whichever of the two is said here.
 */
export interface ResourceRole {
  readonly type: ResourceType
  readonly mode: LockMode
  /** Statuses in which the operation may start; undefined: the operation creates the resource. */
  readonly from?: readonly string[]
  /** Shown while the operation holds the resource; undefined: unchanged. */
  readonly busy?: string
  readonly succeeded?: string
  readonly failed?: string
  readonly cancelled?: string
}

const READABLE_VOLUME = ['available', 'in-use', 'backing-up'] as const
const DELETABLE = ['available', 'error', 'error_deleting'] as const

const newResource = (type: ResourceType): ResourceRole => ({
  type,
  mode: 'exclusive',
  busy: 'creating',
  succeeded: 'available',
  failed: 'error',
  cancelled: 'gone',
})

const deleted = (type: ResourceType, from: readonly string[] = DELETABLE): ResourceRole => ({
  type,
  mode: 'exclusive',
  from,
  busy: 'deleting',
  succeeded: 'gone',
  failed: 'error_deleting',
  cancelled: 'previous',
})

const read = (type: ResourceType, from: readonly string[], busy?: string): ResourceRole => ({
  type,
  mode: 'shared',
  from,
  ...(busy === undefined ? {} : { busy }),
  succeeded: 'previous',
  failed: 'previous',
  cancelled: 'previous',
})

/** The bytes change in one step: whatever happens, they are the old or the new ones, in the old place or the new one. */
const replaced = (type: ResourceType, busy: string): ResourceRole => ({
  ...read(type, ['available'], busy),
  mode: 'exclusive',
})

/** An image whose bytes have come: `from` are the statuses in which the operation finds it. */
const filled = (call: 'upload' | 'import', from: readonly string[]): ResourceRole => ({
  type: 'image',
  mode: 'exclusive',
  from,
  busy: IMAGE_TRANSITIONS[call].during,
  succeeded: IMAGE_TRANSITIONS[call].to,
  failed: IMAGE_TRANSITIONS[call].failed,
  cancelled: IMAGE_TRANSITIONS[call].failed,
})

/** Which statuses are legal follows cinder/volume/api.py and cinder/backup/api.py; the lock modes are ours. */
export const OPERATION_ROLES: Record<OperationKind, Readonly<Record<string, ResourceRole>>> = {
  'upload-image': {
    image: filled('upload', ['saving']),
    // As above, of an image whose bytes were staged before.
    staged: filled('import', IMAGE_TRANSITIONS.import.from),
  },
  'create-volume': { volume: newResource('volume') },
  'create-volume-from-image': { volume: newResource('volume'), image: read('image', ['active']) },
  'create-volume-from-snapshot': {
    volume: newResource('volume'),
    snapshot: read('snapshot', ['available', 'backing-up']),
  },
  'clone-volume': { volume: newResource('volume'), source: read('volume', READABLE_VOLUME) },
  'restore-backup': {
    volume: newResource('volume'),
    backup: read('backup', ['available', 'restoring'], 'restoring'),
  },
  'upload-volume-to-image': {
    image: { ...newResource('image'), busy: 'saving', succeeded: 'active', failed: 'gone' },
    volume: read('volume', ['available'], 'uploading'),
  },
  'restore-backup-into-volume': {
    volume: replaced('volume', 'restoring-backup'),
    backup: read('backup', ['available', 'restoring'], 'restoring'),
  },
  'reimage-volume': { volume: replaced('volume', 'downloading'), image: read('image', ['active']) },
  'migrate-volume': { volume: replaced('volume', 'maintenance') },
  'manage-volume': { volume: { ...newResource('volume'), busy: 'managing', failed: 'error_managing' } },
  'unmanage-volume': {
    volume: {
      ...deleted('volume', ['available', 'error', 'error_unmanaging']),
      busy: 'unmanaging',
      failed: 'error_unmanaging',
    },
  },
  // It reads as before throughout, and shows nothing.
  'flatten-volume': { volume: { ...read('volume', ['available', 'in-use']), mode: 'exclusive' } },
  'delete-volume': {
    volume: deleted('volume', [...DELETABLE, 'error_restoring', 'error_extending', 'error_managing']),
    snapshot: deleted('snapshot'),
  },
  'extend-volume': {
    volume: {
      type: 'volume',
      mode: 'exclusive',
      from: ['available', 'in-use', 'error_extending'],
      busy: 'extending',
      succeeded: 'available',
      failed: 'error_extending',
      cancelled: 'previous',
    },
  },
  // A volume that is claimed already is one's own claim: Cinder's clients make it first.
  'attach-volume': {
    volume: { ...replaced('volume', 'attaching'), from: ['available', 'in-use', 'reserved', 'attaching'] },
  },
  'detach-volume': {
    volume: {
      ...replaced('volume', 'detaching'),
      from: ['in-use', 'error_extending', 'reserved', 'attaching', 'detaching'],
    },
  },
  'revert-to-snapshot': {
    volume: replaced('volume', 'reverting'),
    snapshot: replaced('snapshot', 'restoring'),
  },
  'copy-image': { image: read('image', IMAGE_TRANSITIONS.copy.from) },
  'delete-image': {
    // Of an image that other stores have, too: only the bytes in one of them go.
    copied: { ...read('image', ['active', 'deactivated']), mode: 'exclusive' },
    image: {
      ...deleted('image', IMAGE_TRANSITIONS.delete.from),
      // Glance has no error_deleting: this is its word for bytes that are still to go.
      busy: IMAGE_TRANSITIONS.delete.during,
      failed: IMAGE_TRANSITIONS.delete.failed,
    },
  },
  'create-snapshot': { snapshot: newResource('snapshot'), volume: read('volume', READABLE_VOLUME) },
  'delete-snapshot': {
    snapshot: deleted('snapshot'),
    volume: read('volume', [...READABLE_VOLUME, 'error', 'error_deleting']),
  },
  'create-backup': {
    backup: newResource('backup'),
    volume: read('volume', READABLE_VOLUME, 'backing-up'),
    // A volume that a guest has: held until the snapshot is there, and shows nothing.
    attached: read('volume', ['in-use']),
    snapshot: read('snapshot', ['available', 'backing-up'], 'backing-up'),
    parent: read('backup', ['available', 'restoring']),
    // Where a target keeps all backups of a volume in one image: who writes it is alone.
    series: { type: 'target', mode: 'exclusive' },
  },
  'merge-layers': { volume: { ...read('volume', ['available']), mode: 'exclusive' } },
  'delete-backup': { backup: deleted('backup'), series: { type: 'target', mode: 'shared' } },
  'verify-backup': { backup: read('backup', ['available', 'restoring', 'error']) },
  'copy-backup': {
    backup: newResource('backup'),
    source: read('backup', ['available', 'restoring']),
    parent: read('backup', ['available', 'restoring']),
  },
  'import-target': { target: { type: 'target', mode: 'shared' } },
  'collect-target': { target: { type: 'target', mode: 'exclusive' } },
  'scan-target': { target: { type: 'target', mode: 'exclusive' } },
  'unlink-backup': {
    backup: deleted('backup'),
    // All that build on it, however many: nobody may be reading them while objects move.
    dependent: { ...read('backup', ['available']), mode: 'exclusive' },
  },
}

/**
 * For a status that is shown while an operation holds a resource: what the operation leaves behind when it fails, and whether the
 * resource's bytes are in flux meanwhile. Undefined: a status in which resources rest.
 */
export function busyStatus(
  type: ResourceType,
  status: string,
): { readonly failed: string; readonly inFlux: boolean } | undefined {
  for (const roles of Object.values(OPERATION_ROLES)) {
    const role = Object.values(roles).find((one) => one.type === type && one.busy === status)
    if (role?.failed === undefined || role.failed === 'gone') continue
    const previous = role.from?.find((from) => from !== status) ?? 'error'
    return { failed: role.failed === 'previous' ? previous : role.failed, inFlux: role.mode === 'exclusive' }
  }
  return undefined
}

export const OPERATION_KINDS = Object.keys(OPERATION_ROLES) as OperationKind[]

/** Workflow type of a kind: `create-volume` -> `createVolume`. The file in workflows/ has the kind's name. */
export function workflowType(kind: OperationKind): string {
  return kind.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

export function workflowId(kind: OperationKind, operationId: string): string {
  return `${kind}/${operationId}`
}
