/** What the database says, read straight from its file or server. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { CheckedInstallation } from './installation.ts'

export type Row = Readonly<Record<string, string | number | null>>

export interface Rows {
  readonly volumes: readonly Row[]
  readonly snapshots: readonly Row[]
  readonly images: readonly Row[]
  readonly image_copies: readonly Row[]
  readonly backups: readonly Row[]
  readonly kept_snapshots: readonly Row[]
  readonly operations: readonly Row[]
  readonly operation_resources: readonly Row[]
  readonly artifacts: readonly Row[]
  readonly attempts: readonly Row[]
  readonly uploads: readonly Row[]
  readonly idempotency_keys: readonly Row[]
  readonly schedules: readonly Row[]
  readonly schedule_runs: readonly Row[]
  readonly events: readonly Row[]
  readonly event_log: readonly Row[]
  readonly webhooks: readonly Row[]
  readonly webhook_deliveries: readonly Row[]
  readonly attachments: readonly Row[]
}

const TABLES = [
  'volumes',
  'snapshots',
  'images',
  'image_copies',
  'backups',
  'kept_snapshots',
  'operations',
  'operation_resources',
  'artifacts',
  'attempts',
  'uploads',
  'idempotency_keys',
  'schedules',
  'schedule_runs',
  'events',
  'event_log',
  'webhooks',
  'webhook_deliveries',
  'attachments',
] as const satisfies readonly (keyof Rows)[]

/** Statuses in which a resource may rest: nobody has to do anything for it to be usable or deletable. */
const TERMINAL: Readonly<Record<string, readonly string[]>> = {
  volumes: [
    ...['available', 'in-use', 'error', 'error_deleting', 'error_restoring', 'error_extending'],
    ...['error_managing', 'error_unmanaging'],
  ],
  snapshots: ['available', 'error', 'error_deleting'],
  images: ['queued', 'active', 'deactivated', 'pending_delete'],
  backups: ['available', 'error', 'error_deleting'],
}

export function readRows({
  dataFolder,
  database,
}: Pick<CheckedInstallation, 'dataFolder' | 'database'>): Rows {
  return database === undefined ? readSqlite(dataFolder) : readPostgres(database)
}

/** With its own client: this is about what the server holds, not about how we talk to it. */
function readPostgres({ url, password }: { url: string; password: string }): Rows {
  const columns = TABLES.map((table) => `'${table}', (select coalesce(json_agg(t), '[]') from ${table} t)`)
  const query = `select json_build_object(${columns.join(', ')})`
  const output = execFileSync('psql', ['--no-psqlrc', '-At', '-c', query, url], {
    env: { PATH: process.env.PATH, PGPASSWORD: password },
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  })
  return JSON.parse(output) as Rows
}

function readSqlite(dataFolder: string): Rows {
  const database = new DatabaseSync(join(dataFolder, 'volflow.db'), { readOnly: true, timeout: 10_000 })
  try {
    const read = (table: string) => database.prepare(`select * from ${table}`).all() as unknown as Row[]
    return Object.fromEntries(TABLES.map((table) => [table, read(table)])) as unknown as Rows
  } finally {
    database.close()
  }
}

export function checkDatabase(rows: Rows): string[] {
  return [
    ...restlessResources(rows),
    ...openOperations(rows),
    ...leftoverRows(rows),
    ...rows.uploads
      .filter((upload) => Number(upload.lease_expires_at_ms) < Date.now())
      .map((upload) => `database: upload of image ${upload.image_id} expired and is still there`),
    ...brokenStories(rows),
    ...brokenWebhooks(rows),
    ...danglingReferences(rows),
  ]
}

function restlessResources(rows: Rows): string[] {
  return Object.entries(TERMINAL).flatMap(([table, statuses]) =>
    rows[table as 'volumes']
      .filter((row) => !statuses.includes(String(row.status)))
      .map((row) => `database: ${table} ${row.id} is ${row.status}, which is not a terminal status`),
  )
}

function openOperations({ operations }: Rows): string[] {
  return operations.flatMap(({ id, kind, state, finished_at: finishedAt }) => {
    if (state === 'pending' || state === 'running')
      return [`database: operation ${kind}/${id} is still ${state}`]
    if (finishedAt === null)
      return [`database: operation ${kind}/${id} is ${state} without a time of its end`]
    return []
  })
}

function leftoverRows(rows: Rows): string[] {
  return [
    ...rows.operation_resources.map(
      (lock) =>
        `database: lock of ${lock.resource_type} ${lock.resource_id} by operation ${lock.operation_id}`,
    ),
    ...rows.artifacts.map(
      (artifact) =>
        `database: artifact ${artifact.kind} ${artifact.id} of operation ${artifact.operation_id}`,
    ),
    ...rows.attempts.map(
      (attempt) => `database: attempt of ${attempt.activity} of operation ${attempt.operation_id}`,
    ),
  ]
}

/** The events of an ended operation, as far as they are still kept: accepted first, ended last, and each of these once. */
function brokenStories({ operations, events }: Rows): string[] {
  const stories = Map.groupBy(
    events.toSorted((a, b) => Number(a.id) - Number(b.id)),
    ({ operation_id: operationId }) => operationId,
  )
  return operations.flatMap(({ id, kind, finished_at: finishedAt }) => {
    const types = stories.get(id ?? '')?.map(({ type }) => String(type))
    if (types === undefined || finishedAt === null) return []
    const isWhole =
      types.lastIndexOf('accepted') <= 0 &&
      types.indexOf('ended') === types.length - 1 &&
      types.filter((type) => type === 'progress').length <= 1
    return isWhole ? [] : [`database: the events of operation ${kind}/${id} are ${types.join(', ')}`]
  })
}

/** Cursors are in the log, and deliveries belong to a webhook and are over. */
function brokenWebhooks({ event_log: [log], webhooks, webhook_deliveries: deliveries }: Rows): string[] {
  const ids = new Set(webhooks.map(({ id }) => id))
  return [
    ...webhooks
      .filter((webhook) => Number(webhook.cursor_id) > Number(log?.last_id))
      .map(({ id, cursor_id: cursorId }) => `database: webhook ${id} is at the unknown event ${cursorId}`),
    ...deliveries
      .filter((delivery) => !ids.has(delivery.webhook_id ?? ''))
      .map((delivery) => `database: a delivery belongs to webhook ${delivery.webhook_id}, which is gone`),
    ...deliveries
      .filter(({ outcome }) => outcome === 'waiting')
      .map((delivery) => `database: a test of webhook ${delivery.webhook_id} is still waiting`),
  ]
}

function danglingReferences(rows: Rows): string[] {
  const operations = new Set(rows.operations.map((operation) => operation.id))
  const volumes = new Set(rows.volumes.map((volume) => volume.id))
  const attached = new Set(rows.attachments.map((attachment) => attachment.volume_id))
  const schedules = new Set(rows.schedules.map((schedule) => schedule.id))
  return [
    ...rows.kept_snapshots
      .filter((kept) => !keptOf(kept, rows))
      .map(
        (kept) => `database: snapshot ${kept.snapshot_id} is kept for backup ${kept.backup_id} for no use`,
      ),
    ...rows.snapshots
      .filter((snapshot) => !volumes.has(snapshot.volume_id ?? ''))
      .map(
        (snapshot) =>
          `database: snapshot ${snapshot.id} belongs to volume ${snapshot.volume_id}, which is gone`,
      ),
    ...rows.volumes
      .filter(
        (volume) =>
          (volume.status === 'in-use') !== attached.has(volume.id) && volume.status !== 'error_extending',
      )
      .map((volume) => `database: volume ${volume.id} is ${volume.status}, which its attachments do not say`),
    ...rows.attachments
      .filter((attachment) => !volumes.has(attachment.volume_id))
      .map(
        (attachment) =>
          `database: attachment ${attachment.id} of volume ${attachment.volume_id}, which is gone`,
      ),
    ...rows.schedule_runs
      .filter((run) => !schedules.has(run.schedule_id ?? ''))
      .map((run) => `database: run ${run.id} belongs to schedule ${run.schedule_id}, which is gone`),
    ...rows.schedule_runs
      .filter((run) => run.outcome === 'started' && !operations.has(run.operation_id))
      .map((run) => `database: run ${run.id} started the unknown operation ${run.operation_id}`),
    ...rows.schedule_runs
      .filter((run) => run.outcome === 'waiting')
      .map((run) => `database: run ${run.id} of schedule ${run.schedule_id} is still waiting`),
    ...rows.idempotency_keys
      .filter((key) => key.operation_id !== null && !operations.has(key.operation_id ?? ''))
      .map(
        (key) =>
          `database: idempotency key ${key.idempotency_key} names the unknown operation ${key.operation_id}`,
      ),
  ]
}

/** Of use as long as both exist, the backup whole and the volume where the snapshot is. */
function keptOf(kept: Row, { backups, volumes }: Rows): boolean {
  const backup = backups.find(({ id }) => id === kept.backup_id)
  const volume = volumes.find(({ id }) => id === kept.volume_id)
  return backup?.status === 'available' && volume?.backend === kept.backend
}
