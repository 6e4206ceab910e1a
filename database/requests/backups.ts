import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { type Artifact, backupArtifact } from '../../domain/artifacts.ts'
import { seriesOf } from '../../domain/backup-series.ts'
import { PRIORITY, type Priority } from '../../domain/operations.ts'
import { guestOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { snapshotOfBackup } from '../operations/kept-snapshots.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { VolumeRow } from '../read.ts'
import { requireResource, type Tx } from '../resources.ts'
import { choosePlace, chooseRepository, requireSnapshotOf } from './checks.ts'
import { temporarySnapshot } from './new-volume.ts'
import { ownTargets, type PlaceNames } from './places.ts'
import { acceptUnlinking } from './unlink-backup.ts'

export interface BackupRequest {
  readonly volumeId: string
  /** Back up this snapshot of the volume; left out: the volume as it is now. */
  readonly snapshotId?: string
  readonly target?: string
  readonly incremental?: boolean
  readonly name?: string
  readonly description?: string
  readonly metadata?: Record<string, string>
}

/** With its target chosen. */
interface AcceptedBackup extends BackupRequest {
  readonly target: string
  readonly priority?: Priority
  readonly scheduleId?: string
}

type Format = 'volflow' | 'cinder' | 'rbd'

/** Accepts a backup. Incremental: chunks that the volume's newest backup in the same target has are not stored again. */
export function requestBackup(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: BackupRequest,
): Promise<Accepted & { replayed: boolean }> {
  // Without a wish it is one of ours.
  const target = choosePlace('target', request.target, [
    ...ownTargets(places),
    ...Object.keys(places.cinderTargets),
  ])
  if (formatOf(places, target) === 'cinder' && request.incremental === true) {
    throw new RequestError(
      400,
      'fullOnly',
      `Expected a full backup for target ${target}: in Cinder's format volflow writes full ones.`,
    )
  }
  return requestOnce(database, actor, { createBackup: request }, (tx) =>
    acceptBackup(tx, actor, places, { ...request, target }),
  )
}

/** As `requestBackup`, in the caller's transaction. */
export async function acceptBackup(
  tx: Tx,
  actor: Actor,
  places: PlaceNames,
  request: AcceptedBackup,
): Promise<{ operationId: string; resourceId: string }> {
  const { projectId } = actor
  const { target } = request
  const format = formatOf(places, target)
  const volume = await requireResource(tx, 'volume', { id: request.volumeId, projectId })
  if (format === 'rbd') requireBesides(places, volume, target)
  const { snapshotId: wanted } = request
  const source =
    wanted === undefined ? undefined : await requireSnapshotOf(tx, volume.id, { id: wanted, projectId })
  const parent = request.incremental === true ? await requireParent(tx, actor, volume.id, target) : null
  const backupId = randomUUID()
  const sizeBytes = source?.sizeBytes ?? volume.sizeBytes
  const row = { id: backupId, parentId: parent, sizeBytes, dataTimestamp: source?.createdAt }
  await insertBackup(tx, actor, { ...request, format }, row)
  const snapshotId = source?.id ?? randomUUID()
  const inUse = source === undefined ? await guestOf(tx, volume.id) : {}
  const volumeRole = inUse.guest === undefined ? 'volume' : 'attached'
  // It is for the next incremental one, of which there is none in Cinder's format. In files it would keep a guest's layers from being merged.
  const keepSnapshot =
    source === undefined &&
    (inUse.guest === undefined || places.rbdBackends?.includes(volume.backend) === true) &&
    format !== 'cinder' &&
    places.keepingBackends?.includes(volume.backend) === true
  const artifacts: Artifact[] = [backupArtifact(target, backupId, projectId)]
  if (source === undefined) {
    const purpose = keepSnapshot ? 'result' : 'temporary'
    artifacts.unshift(temporarySnapshot(volume.backend, snapshotId, volume.id, purpose))
  }
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-backup',
    spec: {
      backupId,
      volumeId: volume.id,
      backend: volume.backend,
      target,
      projectId,
      sizeBytes,
      snapshotId,
      temporarySnapshot: source === undefined,
      keepSnapshot,
      parentBackupId: parent,
      parentSnapshotId: parent === null ? null : await snapshotOfBackup(tx, parent, volume),
      ...inUse,
    },
    resources: {
      backup: backupId,
      ...(source === undefined ? { [volumeRole]: volume.id } : { snapshot: source.id }),
      ...(parent === null ? {} : { parent }),
      ...(format === 'rbd' ? { series: seriesOf(target, volume.id) } : {}),
    },
    primary: 'backup',
    artifacts,
    ...(request.priority === undefined ? {} : { priority: request.priority }),
  })
  return { operationId, resourceId: backupId }
}

function formatOf({ cinderTargets, rbdTargets = [] }: PlaceNames, target: string): Format {
  if (rbdTargets.includes(target)) return 'rbd'
  return target in cinderTargets ? 'cinder' : 'volflow'
}

/** A pool takes backups from its own cluster, which is found out later. */
function requireBesides({ rbdBackends = [] }: PlaceNames, { id, backend }: VolumeRow, target: string): void {
  if (rbdBackends.includes(backend)) return
  throw new RequestError(
    400,
    'otherCluster',
    `Expected a volume in the Ceph cluster of target ${target}, but volume ${id} is in backend ${backend}. Choose a target that is a bucket or a directory.`,
  )
}

async function insertBackup(
  tx: Tx,
  actor: Actor,
  request: AcceptedBackup & { readonly format: Format },
  row: { id: string; parentId: string | null; sizeBytes: number; dataTimestamp: string | undefined },
): Promise<void> {
  const { id, parentId, sizeBytes } = row
  await tx
    .insertInto('backups')
    .values({
      id,
      projectId: actor.projectId,
      userId: actor.userId,
      name: request.name ?? null,
      description: request.description ?? null,
      status: 'creating',
      metadata: JSON.stringify(request.metadata ?? {}),
      createdAt: new Date().toISOString(),
      updatedAt: null,
      volumeId: request.volumeId,
      snapshotId: request.snapshotId ?? null,
      parentId,
      target: request.target,
      sizeBytes,
      isIncremental: parentId === null ? 0 : 1,
      objectCount: 0,
      storedBytes: 0,
      failReason: null,
      dataTimestamp: row.dataTimestamp ?? new Date().toISOString(),
      scheduleId: request.scheduleId ?? null,
      format: request.format,
    })
    .execute()
}

async function requireParent(tx: Tx, actor: Actor, volumeId: string, target: string): Promise<string> {
  const parent = await newestBackup(tx, { projectId: actor.projectId, volumeId, target })
  if (parent !== undefined) return parent
  throw new RequestError(
    400,
    'noParentBackup',
    `Expected volume ${volumeId} to have a backup in target ${target} for an incremental one. Make a full backup first.`,
  )
}

/** Id of the volume's newest good backup in the target. */
export async function newestBackup(
  tx: Tx,
  of: { projectId: string; volumeId: string; target: string },
): Promise<string | undefined> {
  const backup = await tx
    .selectFrom('backups')
    .select('id')
    .where('volumeId', '=', of.volumeId)
    .where('projectId', '=', of.projectId)
    .where('target', '=', of.target)
    .where('status', 'in', ['available', 'restoring'])
    .orderBy('dataTimestamp', 'desc')
    .executeTakeFirst()
  return backup?.id
}

export function requestBackupDeletion(
  database: Database,
  actor: Actor,
  backupId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { deleteBackup: backupId }, async (tx) => ({
    operationId: await acceptBackupDeletion(tx, actor, backupId),
    resourceId: backupId,
  }))
}

/** As `requestBackupDeletion`, in the caller's transaction. Resolves to the operation's id. */
export async function acceptBackupDeletion(
  tx: Tx,
  actor: Actor,
  backupId: string,
  priority: Priority = PRIORITY.interactive,
): Promise<string> {
  const { projectId } = actor
  const backup = await requireResource(tx, 'backup', { id: backupId, projectId })
  if (backup.format === 'cinder') return acceptUnlinking(tx, actor, backup, priority)
  const { target, volumeId, format } = backup
  const inPool = format === 'rbd'
  return acceptOperation(tx, {
    actor,
    kind: 'delete-backup',
    spec: { backupId, target, projectId, ...(inPool && { volumeId }) },
    resources: { backup: backupId, ...(inPool && { series: seriesOf(target, volumeId) }) },
    primary: 'backup',
    priority,
  })
}

/** Accepts a collection of what no backup in the target needs any more. */
export function requestCollection(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  { name, ...options }: { name: string; dryRun?: boolean; force?: boolean },
): Promise<Accepted & { replayed: boolean }> {
  const target = chooseRepository(
    name,
    places,
    'Nothing is to be collected there: a deleted backup is gone at once.',
  )
  return requestOnce(database, actor, { collectTarget: target, ...options }, async (tx) => {
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'collect-target',
      spec: { target, ...options },
      resources: { target },
      primary: 'target',
    })
    return { operationId, resourceId: target }
  })
}
