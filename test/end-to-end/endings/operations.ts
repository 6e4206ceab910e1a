/** One entry per kind of operation: how it is started, whether it can be met in the middle, and what it leaves when it ends. */
import { OPERATION_KINDS, type OperationKind, type OperationOutcome } from '../../../domain/operations.ts'
import type { Operation } from '../../../sdk/types.ts'
import { SIZE_BYTES, type Stock, startUpload } from './stock.ts'

/** Of the resource that the operation is about. */
export interface Left {
  readonly status: string
  readonly bytes?: 'image' | 'zeroes'
  readonly sizeBytes?: number
}

export interface OperationCase {
  readonly start: (stock: Stock) => Promise<{ readonly operation: Operation }>
  /** It moves bytes at the rate of its backend, so that a low rate holds it in the middle. */
  readonly moves?: true
  /** Where everything is in one cluster, that does it alone: no bytes move at a rate that is known. */
  readonly byCluster?: true
  /** What there is to do is done after the commit point: it cannot be cancelled or paused once it has begun. */
  readonly commitsAtOnce?: true
  /** The resource that it is about begins with it, and can be deleted meanwhile. */
  readonly creates?: true
  /** It writes nothing: a place that has become read-only does not stop it. */
  readonly reads?: true
  readonly leaves: Readonly<Record<OperationOutcome, Left | 'gone'>>
}

/** Merging layers is nobody's request: merge-layers.test.ts. */
export type RequestedKind = Exclude<OperationKind, 'merge-layers'>

export const REQUESTED_KINDS = OPERATION_KINDS.filter((kind) => kind !== 'merge-layers')

export const CASES: Readonly<Record<RequestedKind, OperationCase>> = {
  'upload-image': {
    start: startUpload,
    leaves: {
      succeeded: { status: 'active', bytes: 'image' },
      failed: { status: 'queued' },
      cancelled: { status: 'queued' },
    },
  },
  'create-volume': {
    start: ({ client }) => client.createVolume({ sizeBytes: SIZE_BYTES }),
    ...created('zeroes'),
  },
  'create-volume-from-image': {
    start: ({ client, imageId }) => client.createVolume({ imageId }),
    moves: true,
    byCluster: true,
    ...created('image'),
  },
  'create-volume-from-snapshot': {
    start: ({ client, snapshotId }) => client.createVolume({ snapshotId, flatten: true }),
    moves: true,
    ...created('image'),
  },
  'clone-volume': {
    start: ({ client, volumeId }) => client.createVolume({ sourceVolumeId: volumeId, flatten: true }),
    moves: true,
    ...created('image'),
  },
  'restore-backup': {
    start: ({ client, backupId }) => client.createVolume({ backupId }),
    moves: true,
    ...created('image'),
  },
  'upload-volume-to-image': {
    start: ({ client, uploadedId }) => client.uploadVolume(uploadedId, { diskFormat: 'raw' }),
    moves: true,
    creates: true,
    leaves: { succeeded: { status: 'active', bytes: 'image' }, failed: 'gone', cancelled: 'gone' },
  },
  'restore-backup-into-volume': {
    start: ({ client, backupId, restoredId }) => client.restoreBackup(backupId, { volumeId: restoredId }),
    moves: true,
    leaves: replaced('image', 'zeroes'),
  },
  'reimage-volume': {
    start: ({ client, reimagedId, imageId }) => client.reimageVolume(reimagedId, { imageId }),
    moves: true,
    leaves: replaced('image', 'zeroes'),
  },
  'migrate-volume': {
    start: ({ client, migratedId }) => client.migrateVolume(migratedId, { backend: 'there' }),
    moves: true,
    leaves: replaced('image', 'image'),
  },
  'manage-volume': {
    start: ({ client, sourceName }) => client.manageVolume({ backend: 'here', sourceName }),
    commitsAtOnce: true,
    leaves: {
      succeeded: { status: 'available', bytes: 'zeroes', sizeBytes: SIZE_BYTES },
      failed: { status: 'error_managing' },
      cancelled: 'gone',
    },
  },
  'unmanage-volume': {
    start: ({ client, unmanagedId }) => client.unmanageVolume(unmanagedId),
    commitsAtOnce: true,
    leaves: {
      succeeded: 'gone',
      failed: { status: 'error_unmanaging' },
      cancelled: { status: 'available', bytes: 'zeroes' },
    },
  },
  'flatten-volume': {
    start: ({ client, layeredId }) => client.flattenVolume(layeredId),
    moves: true,
    byCluster: true,
    leaves: replaced('image', 'image'),
  },
  'delete-volume': {
    start: ({ client, deletedId }) => client.deleteVolume(deletedId),
    commitsAtOnce: true,
    leaves: deleted('available'),
  },
  'extend-volume': {
    start: ({ client, extendedId }) => client.extendVolume(extendedId, { sizeBytes: 2 * SIZE_BYTES }),
    commitsAtOnce: true,
    leaves: {
      succeeded: { status: 'available', sizeBytes: 2 * SIZE_BYTES },
      failed: { status: 'error_extending' },
      cancelled: { status: 'available', sizeBytes: SIZE_BYTES, bytes: 'zeroes' },
    },
  },
  'attach-volume': {
    start: ({ client, unattachedId }) => client.attachVolume(unattachedId, {}),
    reads: true,
    leaves: {
      succeeded: { status: 'in-use', bytes: 'zeroes' },
      failed: { status: 'available', bytes: 'zeroes' },
      cancelled: { status: 'available', bytes: 'zeroes' },
    },
  },
  'detach-volume': {
    start: ({ client, attachedId }) => client.detachVolume(attachedId),
    reads: true,
    leaves: {
      succeeded: { status: 'available', bytes: 'zeroes' },
      failed: { status: 'in-use', bytes: 'zeroes' },
      cancelled: { status: 'in-use', bytes: 'zeroes' },
    },
  },
  'revert-to-snapshot': {
    start: ({ client, reverted: { volumeId, snapshotId } }) => client.revertVolume(volumeId, { snapshotId }),
    commitsAtOnce: true,
    leaves: {
      succeeded: { status: 'available', bytes: 'zeroes' },
      // Of whichever of the two: the driver swaps them in one step.
      failed: { status: 'available' },
      cancelled: { status: 'available', bytes: 'image' },
    },
  },
  'copy-image': {
    start: ({ client, imageId }) => client.copyImage(imageId, { store: 'second' }),
    leaves: {
      succeeded: { status: 'active', bytes: 'image' },
      failed: { status: 'active', bytes: 'image' },
      cancelled: { status: 'active', bytes: 'image' },
    },
  },
  'delete-image': {
    start: ({ client, unusedImageId }) => client.deleteImage(unusedImageId),
    commitsAtOnce: true,
    leaves: { succeeded: 'gone', failed: { status: 'pending_delete' }, cancelled: { status: 'active' } },
  },
  'create-snapshot': {
    start: ({ client, volumeId }) => client.createSnapshot({ volumeId }),
    ...created(),
  },
  'delete-snapshot': {
    start: ({ client, unusedSnapshotId }) => client.deleteSnapshot(unusedSnapshotId),
    commitsAtOnce: true,
    leaves: deleted('available'),
  },
  'create-backup': {
    start: ({ client, volumeId }) => client.createBackup({ volumeId }),
    moves: true,
    ...created('image'),
  },
  'delete-backup': {
    start: ({ client, unusedBackupId }) => client.deleteBackup(unusedBackupId),
    commitsAtOnce: true,
    leaves: deleted('available'),
  },
  'verify-backup': {
    start: ({ client, backupId }) => client.verifyBackup(backupId),
    reads: true,
    leaves: {
      succeeded: { status: 'available', bytes: 'image' },
      failed: { status: 'available', bytes: 'image' },
      cancelled: { status: 'available', bytes: 'image' },
    },
  },
  'copy-backup': {
    start: ({ client, backupId }) => client.copyBackup(backupId, { target: 'far' }),
    ...created('image'),
  },
  'import-target': {
    start: ({ client }) => client.importTarget('far'),
    leaves: { succeeded: 'gone', failed: 'gone', cancelled: 'gone' },
  },
  'scan-target': {
    start: ({ client }) => client.cinder.scanTarget('cinder'),
    reads: true,
    leaves: { succeeded: 'gone', failed: 'gone', cancelled: 'gone' },
  },
  'unlink-backup': {
    start: ({ client, unusedCinderBackupId }) => client.deleteBackup(unusedCinderBackupId),
    leaves: deleted('available'),
  },
  'collect-target': {
    start: ({ client }) => client.collectTarget('local'),
    // A target is configuration: there is nothing to be gone.
    leaves: { succeeded: 'gone', failed: 'gone', cancelled: 'gone' },
  },
}

function created(bytes?: 'image' | 'zeroes') {
  return {
    creates: true,
    leaves: {
      succeeded: { status: 'available', ...(bytes !== undefined && { bytes }) },
      failed: { status: 'error' },
      cancelled: 'gone',
    },
  } as const
}

/** Until the commit the volume is what it was. */
function replaced(after: 'image' | 'zeroes', before: 'image' | 'zeroes'): OperationCase['leaves'] {
  const left = (bytes: 'image' | 'zeroes') => ({ status: 'available', sizeBytes: SIZE_BYTES, bytes })
  return { succeeded: left(after), failed: left(before), cancelled: left(before) }
}

function deleted(before: string): OperationCase['leaves'] {
  return { succeeded: 'gone', failed: { status: 'error_deleting' }, cancelled: { status: before } }
}
