import { z } from 'zod'
import { DISK_FORMATS } from '../../domain/disk-formats.ts'
import { VERIFY_LEVELS } from '../../domain/verification.ts'
import { EVENT_TYPES } from '../../domain/events.ts'
import { OPERATION_KINDS, type OperationKind } from '../../domain/operations.ts'

export const TIME = z.string().describe('ISO 8601, UTC')
const BYTES = z.int().min(0)

const COMMON = {
  id: z.string(),
  projectId: z.string(),
  userId: z.string(),
  name: z.string().nullable(),
  description: z.string().nullable(),
  status: z.string(),
  metadata: z.record(z.string(), z.string()),
  createdAt: TIME,
  updatedAt: TIME.nullable(),
  holderOperationId: z
    .string()
    .exactOptional()
    .describe('The operation that holds the resource now; told only where a single one is shown'),
}

export const KIND = z.enum(OPERATION_KINDS as [OperationKind, ...OperationKind[]])
export const STATE = z.enum(['pending', 'running', 'succeeded', 'failed', 'cancelled'])

export const OPERATION = z
  .object({
    id: z.string(),
    projectId: z.string(),
    userId: z.string(),
    requestId: z.string(),
    kind: KIND,
    state: STATE,
    resourceType: z.enum(['image', 'volume', 'snapshot', 'backup', 'target']),
    resourceId: z.string(),
    phase: z.string().nullable(),
    doneBytes: BYTES,
    totalBytes: BYTES.describe('0: not known yet'),
    movedBytes: BYTES.describe(
      'Really read and written; less than doneBytes where holes, clones or deduplication saved work',
    ),
    attempt: z.int(),
    lastError: z.string().nullable().describe('Why the last attempt failed'),
    nextRetryAt: TIME.nullable(),
    waitingFor: z.string().nullable().describe('Why it does not advance: `paused`, or what it waits for'),
    paused: z.boolean().describe('On request; its backend or its project may be paused besides'),
    rateLimitBytes: BYTES.nullable().describe('Bytes a second'),
    cancelRequested: z.boolean(),
    committed: z.boolean().describe('Past the commit point: it can no longer be cancelled'),
    error: z.object({ code: z.string(), message: z.string() }).nullable(),
    result: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).nullable(),
    superseded: z.boolean().describe('It ended, but its resource was no longer its own to update'),
    createdAt: TIME,
    startedAt: TIME.nullable(),
    finishedAt: TIME.nullable(),
  })
  .meta({ id: 'Operation' })

export const EVENT = z
  .object({
    id: z.int().min(1).describe('Larger than that of every event before'),
    type: z.enum(EVENT_TYPES),
    createdAt: TIME,
    operation: OPERATION.nullable().describe(
      'As it was right after the change; null for an event of a schedule',
    ),
    schedule: z
      .object({
        id: z.string(),
        name: z.string(),
        volumeId: z.string().nullable().describe('Of an alarm'),
        lastGoodAt: TIME.nullable().describe(
          'Its newest good backup by the schedule, when the alarm was raised',
        ),
        scheduledAt: TIME.nullable().describe('The planned time that was missed'),
      })
      .nullable()
      .describe('Of which schedule an event tells; null for an event of an operation'),
  })
  .meta({ id: 'LogEvent' })

export const IMAGE = z
  .object({
    ...COMMON,
    store: z.string(),
    diskFormat: z.enum(DISK_FORMATS).nullable().describe('null: to be said before the bytes come'),
    containerFormat: z.string().nullable(),
    visibility: z.string(),
    protected: z.boolean(),
    hidden: z.boolean(),
    minDiskGiB: z.int(),
    minRamMiB: z.int(),
    sizeBytes: BYTES.nullable().describe('Of the file as uploaded'),
    virtualSizeBytes: BYTES.nullable().describe('Of the disk inside'),
    checksum: z.string().nullable().describe('md5 of the file as uploaded'),
    osHashAlgo: z.string().nullable(),
    osHashValue: z.string().nullable(),
  })
  .meta({ id: 'Image' })

export const VOLUME = z
  .object({
    ...COMMON,
    sizeBytes: BYTES,
    backend: z.string(),
    bootable: z.boolean(),
    availabilityZone: z.string(),
    volumeType: z.string().nullable(),
    volumeImageMetadata: z.record(z.string(), z.string()).nullable(),
    imageId: z.string().nullable(),
    snapshotId: z.string().nullable(),
    backupId: z.string().nullable(),
    sourceVolumeId: z.string().nullable(),
  })
  .meta({ id: 'Volume' })

export const SNAPSHOT = z
  .object({ ...COMMON, volumeId: z.string(), sizeBytes: BYTES, backend: z.string() })
  .meta({ id: 'Snapshot' })

export const BACKUP = z
  .object({
    ...COMMON,
    volumeId: z.string(),
    snapshotId: z.string().nullable(),
    parentId: z.string().nullable(),
    target: z.string(),
    format: z.enum(['volflow', 'cinder', 'rbd']).describe('How it is kept in the target'),
    sizeBytes: BYTES,
    incremental: z.boolean(),
    objectCount: z.int(),
    storedBytes: BYTES.describe('What this backup added to the target'),
    failReason: z.string().nullable(),
    sourceBackupId: z.string().nullable().describe('The backup in another target of which this is a copy'),
    verifiedAt: TIME.nullable().describe('When it was looked at last; null: never'),
    verifyLevel: z.enum(VERIFY_LEVELS).nullable(),
    damagedObjects: z
      .int()
      .nullable()
      .describe('Found damaged or missing; healed by a backup of the volume that still has them'),
    dataTimestamp: TIME.describe('The moment whose data it holds'),
  })
  .meta({ id: 'Backup' })

const accepted = <K extends string, T extends z.ZodType>(id: string, name: K, view: T) =>
  z
    .object({
      ...({
        [name]: view.nullable().describe('null: a repeated request whose resource is gone by now'),
      } as Record<K, z.ZodNullable<T>>),
      operation: OPERATION,
    })
    .meta({ id })

export const BACKEND = z
  .object({ name: z.string(), paused: z.boolean(), rateLimitBytes: BYTES.nullable() })
  .meta({ id: 'Backend' })
export const BACKEND_LIST = z.object({ items: z.array(BACKEND) }).meta({ id: 'BackendList' })
export const PROJECT = z.object({ id: z.string(), paused: z.boolean() }).meta({ id: 'Project' })

export const ACCEPTED = z.object({ operation: OPERATION }).meta({ id: 'Accepted' })
export const VOLUME_ACCEPTED = accepted('VolumeAccepted', 'volume', VOLUME)
export const SNAPSHOT_ACCEPTED = accepted('SnapshotAccepted', 'snapshot', SNAPSHOT)
export const BACKUP_ACCEPTED = accepted('BackupAccepted', 'backup', BACKUP)
export const VOLUME_IMAGE_ACCEPTED = accepted('VolumeImageAccepted', 'image', IMAGE)
export const IMAGE_ACCEPTED = z.object({ image: IMAGE, operation: OPERATION }).meta({ id: 'ImageAccepted' })

export const page = <T extends z.ZodType>(id: string, item: T) =>
  z
    .object({
      items: z.array(item),
      next: z.string().nullable().describe('The marker of the next page; null: this is the last'),
    })
    .meta({ id })

export const EVENT_PAGE = z
  .object({
    items: z.array(EVENT),
    next: z.int().nullable().describe('`after` of the next page; null: this is the last'),
  })
  .meta({ id: 'EventPage' })

export const OPERATION_PAGE = page('OperationPage', OPERATION)
export const IMAGE_PAGE = page('ImagePage', IMAGE)
export const VOLUME_PAGE = page('VolumePage', VOLUME)
export const SNAPSHOT_PAGE = page('SnapshotPage', SNAPSHOT)
export const BACKUP_PAGE = page('BackupPage', BACKUP)
