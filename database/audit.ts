/** Everything of all projects, in pages, and what explains that a resource is not as its row says. For fsck. */
import type { Artifact } from '../domain/artifacts.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LockMode, OperationKind, OperationState, ResourceType } from '../domain/operations.ts'
import type { DispatchableOperation } from './operations/dispatch.ts'
import type { Database } from './open.ts'
import type { BackupRow, ImageRow, SnapshotRow, VolumeRow } from './read.ts'
import { RESOURCE_TABLES, type StoredResourceType } from './resources.ts'

interface RowOf {
  volume: VolumeRow
  snapshot: SnapshotRow
  image: ImageRow
  backup: BackupRow
}

export type ResourceRow = RowOf[StoredResourceType]

/** Pages of rows by id. */
export async function* everyResource<T extends StoredResourceType>(
  database: Database,
  type: T,
): AsyncGenerator<RowOf[T][]> {
  for (let last = ''; ;) {
    const rows = await database
      .selectFrom(RESOURCE_TABLES[type] as 'volumes')
      .selectAll()
      .where('id', '>', last)
      .orderBy('id')
      .limit(LIMITS.fsckBatch)
      .execute()
    if (rows.length > 0) yield rows as unknown as RowOf[T][]
    if (rows.length < LIMITS.fsckBatch) return
    last = rows.at(-1)?.id ?? ''
  }
}

export async function resourcesById<T extends StoredResourceType>(
  database: Database,
  type: T,
  ids: readonly string[],
): Promise<Map<string, RowOf[T]>> {
  if (ids.length === 0) return new Map()
  const rows = await database
    .selectFrom(RESOURCE_TABLES[type] as 'volumes')
    .selectAll()
    .where('id', 'in', ids)
    .execute()
  return new Map((rows as unknown as RowOf[T][]).map((row) => [row.id, row]))
}

/** Those of the images that this store has a copy of. */
export async function imagesCopiedTo(
  database: Database,
  store: string,
  ids: readonly string[],
): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await database
    .selectFrom('imageCopies')
    .select('imageId')
    .where('store', '=', store)
    .where('imageId', 'in', ids)
    .execute()
  return new Set(rows.map(({ imageId }) => imageId))
}

export interface Hold {
  readonly resourceId: string
  readonly mode: LockMode
  readonly busyStatus: string | null
}

/** Locks on these resources, whatever has become of their operations. */
export async function holdsOn(database: Database, ids: readonly string[]): Promise<Hold[]> {
  if (ids.length === 0) return []
  return database
    .selectFrom('operationResources')
    .select(['resourceId', 'mode', 'busyStatus'])
    .where('resourceId', 'in', ids)
    .execute()
}

/** Those of the ids about which there is a lock, an artifact or an upload, or that a backup keeps: somebody is at work there, or will clear up. */
export async function idsInWork(database: Database, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const artifacts = await database.selectFrom('artifacts').select('id').where('id', 'in', ids).execute()
  const uploads = await database.selectFrom('uploads').select('imageId').where('imageId', 'in', ids).execute()
  const holds = await holdsOn(database, ids)
  const kept = await database
    .selectFrom('keptSnapshots')
    .innerJoin('backups', 'backups.id', 'keptSnapshots.backupId')
    .select('keptSnapshots.snapshotId')
    .where('keptSnapshots.snapshotId', 'in', ids)
    .execute()
  return new Set([
    ...kept.map(({ snapshotId }) => snapshotId),
    ...artifacts.map(({ id }) => id),
    ...uploads.map(({ imageId }) => imageId),
    ...holds.map(({ resourceId }) => resourceId),
  ])
}

export interface LeftRow {
  readonly operationId: string
  /** Null: there is no such operation. */
  readonly state: OperationState | null
  readonly finishedAt: string | null
  readonly what: string
}

const ENDED = ['succeeded', 'failed', 'cancelled'] as const

/** Locks of operations that have ended, or that do not exist. */
export async function leftLocks(database: Database): Promise<LeftRow[]> {
  const rows = await database
    .selectFrom('operationResources as part')
    .leftJoin('operations', 'operations.id', 'part.operationId')
    .select(['part.operationId', 'state', 'finishedAt', 'part.resourceType', 'part.resourceId'])
    .where((eb) => eb.or([eb('state', 'is', null), eb('state', 'in', ENDED)]))
    .limit(LIMITS.fsckFindingsMax)
    .execute()
  return rows.map((row) => ({ ...row, what: `${row.resourceType} ${row.resourceId}` }))
}

export async function leftAttempts(database: Database): Promise<LeftRow[]> {
  const rows = await database
    .selectFrom('attempts as part')
    .leftJoin('operations', 'operations.id', 'part.operationId')
    .select(['part.operationId', 'state', 'finishedAt', 'part.activity'])
    .where((eb) => eb.or([eb('state', 'is', null), eb('state', 'in', ENDED)]))
    .limit(LIMITS.fsckFindingsMax)
    .execute()
  return rows.map((row) => ({ ...row, what: row.activity }))
}

export async function leftArtifacts(
  database: Database,
): Promise<(LeftRow & Pick<Artifact, 'purpose' | 'place'>)[]> {
  const rows = await database
    .selectFrom('artifacts as part')
    .leftJoin('operations', 'operations.id', 'part.operationId')
    .select(['part.operationId', 'state', 'finishedAt', 'part.kind', 'part.id', 'part.purpose', 'part.place'])
    .where((eb) => eb.or([eb('state', 'is', null), eb('state', 'in', ENDED)]))
    .limit(LIMITS.fsckFindingsMax)
    .execute()
  return rows.map((row) => ({ ...row, what: `${row.kind} ${row.id}` }))
}

export interface AgedOperation extends DispatchableOperation {
  readonly createdAt: string
  readonly dispatchedAt: string | null
  readonly resourceType: ResourceType
  readonly kind: OperationKind
}

/** Pages of operations that have not ended, by id. */
export async function* everyOpenOperation(database: Database): AsyncGenerator<AgedOperation[]> {
  for (let last = ''; ;) {
    const rows = await database
      .selectFrom('operations')
      .selectAll()
      .where('state', 'in', ['pending', 'running'])
      .where('id', '>', last)
      .orderBy('id')
      .limit(LIMITS.fsckBatch)
      .execute()
    if (rows.length > 0) yield rows
    if (rows.length < LIMITS.fsckBatch) return
    last = rows.at(-1)?.id ?? ''
  }
}

export async function openOperationIds(database: Database, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await database
    .selectFrom('operations')
    .select('id')
    .where('id', 'in', ids)
    .where('state', 'in', ['pending', 'running'])
    .execute()
  return new Set(rows.map(({ id }) => id))
}

/** Uploads whose lease ran out before `beforeMs`. */
export async function uploadsExpiredBefore(database: Database, beforeMs: number): Promise<string[]> {
  const rows = await database
    .selectFrom('uploads')
    .select('imageId')
    .where('leaseExpiresAtMs', '<', beforeMs)
    .limit(LIMITS.fsckFindingsMax)
    .execute()
  return rows.map(({ imageId }) => imageId)
}
