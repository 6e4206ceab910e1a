import { CinderBackupClient } from './cinder-backups.ts'
import { UnreachableError } from './errors.ts'
import { asUnreachable, readEvents, type StreamMessage, withReconnect } from './event-stream.ts'
import { type Body, type ClientOptions, type HttpRequest, type RequestOptions, sendRequest } from './http.ts'
import type { ControlChange, EventFilter, OperationFilter, ResourceFilter } from './filters.ts'
import { hasEnded } from './has-ended.ts'
import { IdentityClient } from './identity.ts'
import { ScheduleClient } from './schedules.ts'
import type {
  Accepted,
  AttachmentList,
  AttachVolumeInput,
  Backend,
  BackendList,
  Backup,
  BackupAccepted,
  BackupPage,
  CopyBackupInput,
  CopyImageInput,
  CreateBackupInput,
  CreateImageInput,
  CreateSnapshotInput,
  CreateVolumeInput,
  CollectTargetInput,
  ExtendVolumeInput,
  ManageVolumeInput,
  EventPage,
  Image,
  ImageAccepted,
  ImagePage,
  MigrateVolumeInput,
  Operation,
  LogEvent,
  OperationPage,
  Project,
  RevertVolumeInput,
  ReimageVolumeInput,
  RestoreIntoVolumeInput,
  Snapshot,
  SnapshotAccepted,
  SnapshotPage,
  UploadVolumeInput,
  Volume,
  VolumeAccepted,
  VerifyBackupInput,
  VolumeImageAccepted,
  VolumePage,
} from './types.ts'
import { WebhookClient } from './webhooks.ts'

export interface UploadOptions extends RequestOptions {
  /** Of the whole file. Left out: the server learns it at the end. */
  readonly sizeBytes?: number
  /** Lower-case hex; other bytes are refused. */
  readonly sha512?: string
}

/** The native API. Methods throw ApiError for a refusal and UnreachableError where nobody answers. */
export class VolflowClient {
  readonly cinder = new CinderBackupClient((request) => this.#json(request))
  readonly identity = new IdentityClient((request) => sendRequest(this.#options, request))
  readonly schedules = new ScheduleClient((request) => this.#json(request))
  readonly webhooks = new WebhookClient((request) => this.#json(request))
  readonly #options: ClientOptions

  constructor(options: ClientOptions) {
    this.#options = options
  }

  createImage(image: CreateImageInput, options?: RequestOptions): Promise<Image> {
    return this.#json({ method: 'POST', path: '/images', json: image, ...options })
  }

  listImages(filter: ResourceFilter = {}, options?: RequestOptions): Promise<ImagePage> {
    return this.#json({ method: 'GET', path: '/images', query: { ...filter }, ...options })
  }

  showImage(id: string, options?: RequestOptions): Promise<Image> {
    return this.#json({ method: 'GET', path: `/images/${encodeURIComponent(id)}`, ...options })
  }

  /**
   * Sends the bytes of a queued image; the operation then checks them. No time limit: pass a signal. Give files over 4 GiB as a
   * stream, with `sizeBytes`: Node sends a Blob of that size wrongly.
   */
  uploadImage(
    id: string,
    bytes: Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
    { sizeBytes, sha512, ...options }: UploadOptions = {},
  ): Promise<ImageAccepted> {
    const headers = {
      'content-type': 'application/octet-stream',
      ...(sizeBytes === undefined ? {} : { 'content-length': String(sizeBytes) }),
      ...(sha512 === undefined ? {} : { 'x-volflow-sha512': sha512 }),
    }
    const path = `/images/${encodeURIComponent(id)}/file`
    return this.#json({ method: 'PUT', path, body: bytes as Body, headers, timeoutMs: 0, ...options })
  }

  /** Copies the bytes to another store. */
  copyImage(id: string, copy: CopyImageInput, options?: RequestOptions): Promise<Accepted> {
    return this.#json({
      method: 'POST',
      path: `/images/${encodeURIComponent(id)}/copy`,
      json: copy,
      ...options,
    })
  }

  deleteImage(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'DELETE', path: `/images/${encodeURIComponent(id)}`, ...options })
  }

  createVolume(volume: CreateVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    return this.#json({ method: 'POST', path: '/volumes', json: volume, ...options })
  }

  listVolumes(filter: ResourceFilter = {}, options?: RequestOptions): Promise<VolumePage> {
    return this.#json({ method: 'GET', path: '/volumes', query: { ...filter }, ...options })
  }

  showVolume(id: string, options?: RequestOptions): Promise<Volume> {
    return this.#json({ method: 'GET', path: `/volumes/${encodeURIComponent(id)}`, ...options })
  }

  deleteVolume(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'DELETE', path: `/volumes/${encodeURIComponent(id)}`, ...options })
  }

  /** Makes an image of a volume. */
  uploadVolume(
    id: string,
    upload: UploadVolumeInput,
    options?: RequestOptions,
  ): Promise<VolumeImageAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/upload-image`
    return this.#json({ method: 'POST', path, json: upload, ...options })
  }

  /** What is in the backend under that name already becomes a volume. */
  manageVolume(volume: ManageVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    return this.#json({ method: 'POST', path: '/volumes/manage', json: volume, ...options })
  }

  /** The volume is given up; the operation's result has the `sourceName` under which its bytes stay in the backend. */
  unmanageVolume(id: string, options?: RequestOptions): Promise<VolumeAccepted> {
    return this.#json({ method: 'POST', path: `/volumes/${encodeURIComponent(id)}/unmanage`, ...options })
  }

  /** To a larger size. */
  extendVolume(id: string, volume: ExtendVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/extend`
    return this.#json({ method: 'POST', path, json: volume, ...options })
  }

  /** The operation's result has the `connection`: JSON for qemu's `-blockdev`. */
  attachVolume(id: string, attach: AttachVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/attach`
    return this.#json({ method: 'POST', path, json: attach, ...options })
  }

  detachVolume(id: string, options?: RequestOptions): Promise<VolumeAccepted> {
    return this.#json({ method: 'POST', path: `/volumes/${encodeURIComponent(id)}/detach`, ...options })
  }

  listAttachments(volumeId: string, options?: RequestOptions): Promise<AttachmentList> {
    return this.#json({
      method: 'GET',
      path: `/volumes/${encodeURIComponent(volumeId)}/attachments`,
      ...options,
    })
  }

  /** To its most recent snapshot. */
  revertVolume(id: string, snapshot: RevertVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/revert`
    return this.#json({ method: 'POST', path, json: snapshot, ...options })
  }

  /** Afterwards it reads from nothing that it was cloned from. */
  flattenVolume(id: string, options?: RequestOptions): Promise<VolumeAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/flatten`
    return this.#json({ method: 'POST', path, ...options })
  }

  /** Gives the volume the bytes of an image. */
  reimageVolume(id: string, reimage: ReimageVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/reimage`
    return this.#json({ method: 'POST', path, json: reimage, ...options })
  }

  /** Moves the volume to another backend. */
  migrateVolume(id: string, migrate: MigrateVolumeInput, options?: RequestOptions): Promise<VolumeAccepted> {
    const path = `/volumes/${encodeURIComponent(id)}/migrate`
    return this.#json({ method: 'POST', path, json: migrate, ...options })
  }

  /** Gives a volume that exists the bytes of the backup; `createVolume` with `backupId` makes a new one. */
  restoreBackup(
    id: string,
    restore: RestoreIntoVolumeInput,
    options?: RequestOptions,
  ): Promise<VolumeAccepted> {
    const path = `/backups/${encodeURIComponent(id)}/restore`
    return this.#json({ method: 'POST', path, json: restore, ...options })
  }

  createSnapshot(snapshot: CreateSnapshotInput, options?: RequestOptions): Promise<SnapshotAccepted> {
    return this.#json({ method: 'POST', path: '/snapshots', json: snapshot, ...options })
  }

  listSnapshots(filter: ResourceFilter = {}, options?: RequestOptions): Promise<SnapshotPage> {
    return this.#json({ method: 'GET', path: '/snapshots', query: { ...filter }, ...options })
  }

  showSnapshot(id: string, options?: RequestOptions): Promise<Snapshot> {
    return this.#json({ method: 'GET', path: `/snapshots/${encodeURIComponent(id)}`, ...options })
  }

  deleteSnapshot(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'DELETE', path: `/snapshots/${encodeURIComponent(id)}`, ...options })
  }

  createBackup(backup: CreateBackupInput, options?: RequestOptions): Promise<BackupAccepted> {
    return this.#json({ method: 'POST', path: '/backups', json: backup, ...options })
  }

  listBackups(filter: ResourceFilter = {}, options?: RequestOptions): Promise<BackupPage> {
    return this.#json({ method: 'GET', path: '/backups', query: { ...filter }, ...options })
  }

  showBackup(id: string, options?: RequestOptions): Promise<Backup> {
    return this.#json({ method: 'GET', path: `/backups/${encodeURIComponent(id)}`, ...options })
  }

  deleteBackup(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'DELETE', path: `/backups/${encodeURIComponent(id)}`, ...options })
  }

  /** Removes from the target what no backup needs any more, or only says what that is. */
  collectTarget(name: string, collect: CollectTargetInput = {}, options?: RequestOptions): Promise<Accepted> {
    const path = `/targets/${encodeURIComponent(name)}/collect`
    return this.#json({ method: 'POST', path, json: collect, ...options })
  }

  /** Looks whether it could be restored; the operation's result says what was found. */
  verifyBackup(
    id: string,
    verify: VerifyBackupInput = {},
    options?: RequestOptions,
  ): Promise<BackupAccepted> {
    const path = `/backups/${encodeURIComponent(id)}/verify`
    return this.#json({ method: 'POST', path, json: verify, ...options })
  }

  /** Copies a backup to another target; of a volume that has one there, only what differs. */
  copyBackup(id: string, copy: CopyBackupInput, options?: RequestOptions): Promise<BackupAccepted> {
    const path = `/backups/${encodeURIComponent(id)}/copy`
    return this.#json({ method: 'POST', path, json: copy, ...options })
  }

  /** Enters backups of every project that the target has and the database does not know. */
  importTarget(name: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'POST', path: `/targets/${encodeURIComponent(name)}/import`, ...options })
  }

  listOperations(filter: OperationFilter = {}, options?: RequestOptions): Promise<OperationPage> {
    return this.#json({ method: 'GET', path: '/operations', query: { ...filter }, ...options })
  }

  showOperation(id: string, options?: RequestOptions): Promise<Operation> {
    return this.#json({ method: 'GET', path: `/operations/${encodeURIComponent(id)}`, ...options })
  }

  cancelOperation(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'POST', path: `/operations/${encodeURIComponent(id)}/cancel`, ...options })
  }

  /** Pauses it at its last checkpoint, resumes it, or limits its rate; takes effect within seconds. */
  changeOperation(id: string, change: ControlChange, options?: RequestOptions): Promise<Operation> {
    const path = `/operations/${encodeURIComponent(id)}`
    return this.#json({ method: 'PATCH', path, json: change, ...options })
  }

  /** Tries now what would be tried again later. */
  retryOperation(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'POST', path: `/operations/${encodeURIComponent(id)}/retry`, ...options })
  }

  /** Ends it now, whatever it waits for. */
  abandonOperation(id: string, options?: RequestOptions): Promise<Accepted> {
    return this.#json({ method: 'POST', path: `/operations/${encodeURIComponent(id)}/abandon`, ...options })
  }

  listBackends(options?: RequestOptions): Promise<BackendList> {
    return this.#json({ method: 'GET', path: '/backends', ...options })
  }

  changeBackend(name: string, change: ControlChange, options?: RequestOptions): Promise<Backend> {
    return this.#json({
      method: 'PATCH',
      path: `/backends/${encodeURIComponent(name)}`,
      json: change,
      ...options,
    })
  }

  /** Pauses or resumes everything in the project. */
  changeProject(change: { paused: boolean }, options?: RequestOptions): Promise<Project> {
    return this.#json({ method: 'PATCH', path: '/project', json: change, ...options })
  }

  /** The operation now and after each change, until it has ended. Survives a service that is started again meanwhile. */
  watchOperation(id: string, { signal }: Pick<RequestOptions, 'signal'> = {}): AsyncIterable<Operation> {
    const path = `/operations/${encodeURIComponent(id)}/events`
    return withReconnect<Operation>((lastId) => this.#stream({ path, lastId, signal }), hasEnded, signal)
  }

  /** Resolves with the ended operation, whichever way it ended. */
  async waitForOperation(
    id: string,
    { signal, onChange }: Pick<RequestOptions, 'signal'> & { onChange?: (operation: Operation) => void } = {},
  ): Promise<Operation> {
    for await (const operation of this.watchOperation(id, signal === undefined ? {} : { signal })) {
      onChange?.(operation)
      if (hasEnded(operation)) return operation
    }
    throw new Error('A watch ends with an ended operation')
  }

  /** Events of the project, oldest first. */
  listEvents(filter: EventFilter & { limit?: number } = {}, options?: RequestOptions): Promise<EventPage> {
    return this.#json({ method: 'GET', path: '/events', query: { ...filter }, ...options })
  }

  /**
   * Events as they come, without an end; without `after` from now on. Each once, in order: where the connection is lost, or the service
   * is started again, it goes on behind the last one.
   */
  followEvents(
    filter: EventFilter = {},
    { signal }: Pick<RequestOptions, 'signal'> = {},
  ): AsyncIterable<LogEvent> {
    const query = { ...filter }
    const open = (lastId?: string) => this.#stream({ path: '/events/stream', query, lastId, signal })
    return withReconnect<LogEvent>(open, () => false, signal)
  }

  async *#stream({
    path,
    query = {},
    lastId,
    signal,
  }: Pick<HttpRequest, 'path' | 'query'> & {
    lastId: string | undefined
    signal: AbortSignal | undefined
  }): AsyncGenerator<StreamMessage> {
    const headers = {
      accept: 'text/event-stream',
      ...(lastId === undefined ? {} : { 'last-event-id': lastId }),
    }
    const request: HttpRequest = { method: 'GET', path, query, headers, timeoutMs: 0 }
    const response = await sendRequest(this.#options, signal === undefined ? request : { ...request, signal })
    if (response.body !== null) yield* asUnreachable(readEvents(response.body), this.#options.baseUrl)
  }

  async #json<T>(request: HttpRequest): Promise<T> {
    const response = await sendRequest(this.#options, request)
    try {
      return (await response.json()) as T
    } catch (error) {
      request.signal?.throwIfAborted()
      throw new UnreachableError(this.#options.baseUrl, { cause: error })
    }
  }
}
