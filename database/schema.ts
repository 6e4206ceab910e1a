import type { Generated } from 'kysely'
import type { Artifact } from '../domain/artifacts.ts'
import type { DiskFormat } from '../domain/disk-formats.ts'
import type { EventType } from '../domain/events.ts'
import type { LockMode, OperationKind, OperationState, ResourceType } from '../domain/operations.ts'
import type { Overlap, RunOutcome } from '../domain/schedules.ts'
import type { DeliveryOutcome } from '../domain/webhooks.ts'
import type { VolumeClaim } from '../domain/volume-claims.ts'
import type { VerifyLevel } from '../domain/verification.ts'
import type { IdentitySchema } from './identity/schema.ts'
import type { ImageCopiesTable, ImageMembersTable, ImageTagsTable } from './image-tables.ts'
import type { BlockStorageTables } from './cinder/schema.ts'

/** Columns are snake_case in SQL (the plugin converts). Times are ISO 8601 UTC text, leases are epoch milliseconds. */
export interface Schema extends BlockStorageTables, IdentitySchema {
  volumes: VolumesTable
  snapshots: SnapshotsTable
  images: ImagesTable
  imageTags: ImageTagsTable
  imageMembers: ImageMembersTable
  imageCopies: ImageCopiesTable
  backups: BackupsTable
  keptSnapshots: KeptSnapshotsTable
  mergeableVolumes: MergeableVolumesTable
  operations: OperationsTable
  operationResources: OperationResourcesTable
  artifacts: ArtifactsTable
  idempotencyKeys: IdempotencyKeysTable
  attempts: AttemptsTable
  controls: ControlsTable
  uploads: UploadsTable
  schedules: SchedulesTable
  scheduleRuns: ScheduleRunsTable
  scheduleAlarms: ScheduleAlarmsTable
  events: EventsTable
  attachments: AttachmentsTable
  eventLog: EventLogTable
  webhooks: WebhooksTable
  webhookDeliveries: WebhookDeliveriesTable
}

interface ResourceColumns {
  id: string
  projectId: string
  userId: string
  name: string | null
  description: string | null
  status: string
  /** JSON object of strings. */
  metadata: string
  createdAt: string
  updatedAt: string | null
}

export interface VolumesTable extends ResourceColumns {
  sizeBytes: number
  backend: string
  bootable: number
  availabilityZone: string
  /** Name of its type; null: made without one. */
  volumeType: string | null
  volumeTypeId: string | null
  /** Of a volume that rests: to whom it is promised. Null: to nobody. */
  claim: VolumeClaim | null
  /** Cinder's word for how far a migration is. */
  migrationStatus: string | null
  /** 1: whoever attaches it may only read. */
  readOnly: Generated<number>
  /** JSON object of strings, Cinder's volume_image_metadata; null when not made from an image. */
  volumeImageMetadata: string | null
  snapshotId: string | null
  sourceVolumeId: string | null
  imageId: string | null
  backupId: string | null
}

export interface SnapshotsTable extends ResourceColumns {
  volumeId: string
  sizeBytes: number
  backend: string
}

export interface ImagesTable extends ResourceColumns {
  store: string
  /** Null: not said yet; the bytes wait for it. */
  diskFormat: DiskFormat | null
  containerFormat: string | null
  visibility: string
  protected: number
  osHidden: number
  minDisk: number
  minRam: number
  sizeBytes: number | null
  virtualSizeBytes: number | null
  /** md5 of the bytes as uploaded. */
  checksum: string | null
  osHashAlgo: string | null
  osHashValue: string | null
}

export interface BackupsTable extends ResourceColumns {
  volumeId: string
  snapshotId: string | null
  parentId: string | null
  target: string
  sizeBytes: number
  isIncremental: number
  objectCount: number
  storedBytes: number
  failReason: string | null
  dataTimestamp: string
  /** Of the objects in the target. */
  format: Generated<'volflow' | 'cinder' | 'rbd'>
  /** Where a backup in Cinder's format is, in Cinder's words: the bucket or folder, and the prefix of its objects. */
  container: string | null
  serviceMetadata: string | null
  /** Which schedule made it, be it gone by now. */
  scheduleId: string | null
  /** When it was looked at last, and how closely; null: never. */
  verifiedAt: string | null
  verifyLevel: VerifyLevel | null
  /** The backup in another target of which this is a copy, be it gone by now. */
  sourceBackupId: string | null
  /** Chunks and index pages that were found damaged or missing then. */
  damagedObjects: number | null
}

/** See database/operations/kept-snapshots.ts. */
export interface KeptSnapshotsTable {
  backupId: string
  volumeId: string
  target: string
  backend: string
  snapshotId: string
}

/** See database/operations/layers.ts. */
export interface MergeableVolumesTable {
  volumeId: string
  dueAtMs: number
}

export interface OperationsTable {
  id: string
  projectId: string
  userId: string
  requestId: string
  kind: OperationKind
  state: OperationState
  resourceType: ResourceType
  resourceId: string
  /** JSON of OperationSpecs[kind]. */
  spec: string
  /** JSON of OperationResult. */
  result: string | null
  phase: string | null
  doneBytes: Generated<number>
  totalBytes: Generated<number>
  movedBytes: Generated<number>
  attempt: Generated<number>
  /** Temporal's priority key: lower goes first. */
  priority: Generated<number>
  lastError: string | null
  nextRetryAt: string | null
  errorCode: string | null
  errorMessage: string | null
  /** 1: the end was written, but the resource was no longer this operation's to update. */
  superseded: Generated<number>
  cancelRequestedAt: string | null
  commitEnteredAt: string | null
  dispatchedAt: string | null
  /** The backend whose pause and rate limit apply. */
  backend: string | null
  pausedAt: string | null
  /** Bytes a second; null: as fast as it goes. */
  rateLimitBytes: number | null
  /** Why a running operation does not advance. */
  waitingFor: string | null
  /** Dispatched only when that operation has ended: it holds the resource. */
  afterOperationId: string | null
  abandonedAt: string | null
  createdAt: string
  startedAt: string | null
  finishedAt: string | null
}

/** A lock: the row exists as long as the operation holds the resource. */
export interface OperationResourcesTable {
  operationId: string
  resourceType: ResourceType
  resourceId: string
  /** Which part the resource plays: a key of OPERATION_ROLES[kind]. */
  role: string
  mode: LockMode
  busyStatus: string | null
  /** The status to which the resource returns when its last holder lets go. */
  restStatus: string | null
}

export interface ArtifactsTable extends Artifact {
  operationId: string
  /** Order of creation within the operation: released in reverse. */
  sequence: number
}

export interface IdempotencyKeysTable {
  projectId: string
  idempotencyKey: string
  requestHash: string
  operationId: string | null
  resourceId: string
  createdAt: string
}

/** The newest attempt of an activity: its fencing token, lease and checkpoint. */
export interface AttemptsTable {
  operationId: string
  activity: string
  token: number
  leaseExpiresAtMs: number
  released: number
  /** Attempts in a row that vanished without a new checkpoint. */
  crashes: number
  /** Epoch ms of the first transient failure since the last progress; 0: none. */
  failingSinceMs: number
  checkpointBytes: number
  movedBytes: number
}

/** What applies to all operations of a backend or a project. */
export interface ControlsTable {
  scope: 'backend' | 'project'
  name: string
  pausedAt: string | null
  /** Bytes a second, shared by all operations of the backend. */
  rateLimitBytes: number | null
}

export interface UploadsTable {
  imageId: string
  token: string
  leaseExpiresAtMs: number
  /** Set once all bytes are staged and wait for their import; until then null. */
  sizeBytes: number | null
  md5: string | null
  sha512: string | null
}

/** What is wanted; the reconciler makes Temporal match. */
export interface SchedulesTable {
  id: string
  projectId: string
  userId: string
  name: string
  /** JSON of VolumeSelection. */
  volumes: string
  target: string
  /** JSON of Retention; null: nothing is deleted. */
  retention: string | null
  /** Since when its backups have been looked through for what may go. */
  retainedAt: string | null
  /** JSON of Verification: how each new backup is looked at; null: not at all. */
  verification: string | null
  /** How old the newest good backup of a volume may be; null: two runs may fail. */
  alarmAfterSeconds: number | null
  /** Either this, in the time zone, or `intervalSeconds`. */
  cron: string | null
  timeZone: string
  intervalSeconds: number | null
  jitterSeconds: number
  catchUpSeconds: number
  /** Every so many runs are full; null: only the first one. */
  fullEvery: number | null
  overlap: Overlap
  paused: number
  /** Why it is paused, or whatever the user wants to remember. */
  note: string | null
  /** Counts the changes; `appliedGeneration` is the one that Temporal was told last. */
  generation: number
  appliedGeneration: number
  /** Of the schedule as Temporal then described it: another one means that somebody changed it there. */
  appliedEtag: string | null
  applyError: string | null
  /** Planned times up to here are accounted for: each has a run. */
  watchedUntil: string
  createdAt: string
  updatedAt: string | null
}

export interface ScheduleRunsTable {
  id: string
  scheduleId: string
  scheduledAt: string
  /** Null: all of its volumes. */
  volumeId: string | null
  /** Null: its turn has not come. */
  triedAt: string | null
  /** 1: asked for by a user. */
  manual: number
  outcome: RunOutcome
  reason: string | null
  /** Set while it waits. */
  waitsUntil: string | null
  startedAt: string | null
  incremental: number | null
  operationId: string | null
  backupId: string | null
}

/** A volume of a schedule without a good backup for too long. */
export interface ScheduleAlarmsTable {
  scheduleId: string
  volumeId: string
  raisedAt: string
  /** Null: there was never one. */
  lastGoodAt: string | null
}

export interface AttachmentsTable {
  id: string
  projectId: string
  userId: string
  volumeId: string
  /** Whose QMP socket is asked; null: nobody can be asked. */
  guest: string | null
  createdAt: string
}

export interface EventsTable {
  id: number
  projectId: string
  /** Empty: the event is of a schedule. */
  operationId: string
  resourceId: string
  type: EventType
  /** JSON of those columns of the operation that change, as they were then; or ScheduleNews. */
  payload: string
  createdAt: string
}

/** One row: how far the log goes. */
export interface EventLogTable {
  id: number
  lastId: number
  prunedId: number
}

export interface WebhooksTable {
  id: string
  projectId: string
  userId: string
  name: string | null
  url: string
  /** JSON array of event types; null: all but `progress`. */
  eventTypes: string | null
  /** JSON array of operation kinds; null: all. */
  kinds: string | null
  /** Only operations about this resource. */
  resourceId: string | null
  /** The secret is derived from the installation's key, the id and this; each rotation adds one. */
  secretGeneration: number
  /** Of the secret, by which a process with another key knows that it must not sign. */
  secretFingerprint: string
  /** Until then the secret of the generation before signs, too. */
  oldSecretUntil: string | null
  enabled: number
  disabledReason: string | null
  /** All events up to this one were delivered, or do not concern it. */
  cursorId: number
  /** Deliveries so far: the number of the newest one. */
  deliveryCount: Generated<number>
  /** Failed tries in a row. */
  failures: Generated<number>
  failingSince: string | null
  /** Epoch ms; 0: at once. */
  nextTryAtMs: Generated<number>
  lastError: string | null
  lastErrorAt: string | null
  lastSuccessAt: string | null
  /** Grows with each turn and each change by a user; who holds an older one has lost its lease. */
  leaseToken: Generated<number>
  leaseExpiresAtMs: Generated<number>
  createdAt: string
  updatedAt: string | null
}

/** Tries to deliver, the newest of each webhook. */
export interface WebhookDeliveriesTable {
  webhookId: string
  number: number
  /** As in the message: `operation.ended`, … */
  type: string
  eventId: number | null
  outcome: DeliveryOutcome
  statusCode: number | null
  error: string | null
  durationMs: number | null
  createdAt: string
}
