import type { z } from 'zod'
import type { EventRow } from '../../database/events/read.ts'
import type { OperationRow } from '../../database/operations/read.ts'
import type { BackupRow, ImageRow, SnapshotRow, VolumeRow } from '../../database/read.ts'
import type { BACKUP, EVENT, IMAGE, OPERATION, SNAPSHOT, VOLUME } from './schemas.ts'

type Strings = Record<string, string>

export function operationView(row: OperationRow): z.infer<typeof OPERATION> {
  const { id, projectId, userId, requestId, kind, state, resourceType, resourceId } = row
  const { phase, doneBytes, totalBytes, movedBytes, attempt, lastError, nextRetryAt } = row
  const { createdAt, startedAt, finishedAt } = row
  return {
    ...{ id, projectId, userId, requestId, kind, state, resourceType, resourceId },
    ...{ phase, doneBytes, totalBytes, movedBytes, attempt, lastError, nextRetryAt },
    paused: row.pausedAt !== null,
    rateLimitBytes: row.rateLimitBytes,
    waitingFor: row.waitingFor,
    cancelRequested: row.cancelRequestedAt !== null,
    committed: row.commitEnteredAt !== null,
    error: row.errorCode === null ? null : { code: row.errorCode, message: row.errorMessage ?? '' },
    result:
      row.result === null
        ? null
        : (JSON.parse(row.result) as Record<string, string | number | boolean | null>),
    superseded: row.superseded === 1,
    ...{ createdAt, startedAt, finishedAt },
  }
}

export function eventView({ operation, ...event }: EventRow): z.infer<typeof EVENT> {
  return { ...event, operation: operation === null ? null : operationView(operation) }
}

export function volumeView(row: VolumeRow): z.infer<typeof VOLUME> {
  const { sizeBytes, backend, availabilityZone, volumeType, imageId, snapshotId, backupId, sourceVolumeId } =
    row
  return {
    ...common(row),
    ...{ sizeBytes, backend, availabilityZone, volumeType, imageId, snapshotId, backupId, sourceVolumeId },
    bootable: row.bootable === 1,
    volumeImageMetadata:
      row.volumeImageMetadata === null ? null : (JSON.parse(row.volumeImageMetadata) as Strings),
  }
}

export function snapshotView(row: SnapshotRow): z.infer<typeof SNAPSHOT> {
  const { volumeId, sizeBytes, backend } = row
  return { ...common(row), volumeId, sizeBytes, backend }
}

export function backupView(row: BackupRow): z.infer<typeof BACKUP> {
  const { volumeId, snapshotId, parentId, target, sizeBytes } = row
  const { objectCount, storedBytes, failReason, dataTimestamp } = row
  return {
    ...common(row),
    ...{ volumeId, snapshotId, parentId, target, sizeBytes },
    format: row.format,
    incremental: row.isIncremental === 1,
    ...{ objectCount, storedBytes, failReason, dataTimestamp },
    sourceBackupId: row.sourceBackupId,
    ...{ verifiedAt: row.verifiedAt, verifyLevel: row.verifyLevel, damagedObjects: row.damagedObjects },
  }
}

export function imageView(row: ImageRow): z.infer<typeof IMAGE> {
  const { store, diskFormat, containerFormat, visibility } = row
  const { sizeBytes, virtualSizeBytes, checksum, osHashAlgo, osHashValue } = row
  return {
    ...common(row),
    ...{ store, diskFormat, containerFormat, visibility },
    protected: row.protected === 1,
    hidden: row.osHidden === 1,
    minDiskGiB: row.minDisk,
    minRamMiB: row.minRam,
    ...{ sizeBytes, virtualSizeBytes, checksum, osHashAlgo, osHashValue },
  }
}

function common(row: VolumeRow | SnapshotRow | BackupRow | ImageRow) {
  const { id, projectId, userId, name, description, status, createdAt, updatedAt } = row
  const metadata = JSON.parse(row.metadata) as Strings
  return { id, projectId, userId, name, description, status, metadata, createdAt, updatedAt }
}
