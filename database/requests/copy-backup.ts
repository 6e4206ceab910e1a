import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import type { BackupRow } from '../read.ts'
import { requireResource, type Tx } from '../resources.ts'
import { chooseRepository } from './checks.ts'
import { requireObjects } from './pooled-backup.ts'
import type { PlaceNames } from './places.ts'

export interface CopyRequest {
  readonly backupId: string
  readonly target: string
  readonly name?: string
}

/**
 * Accepts a copy of a backup in another target. Where that has a copy of another backup of the volume, only what differs is copied. Throws
 * RequestError 400, 404 or 409.
 */
export function requestBackupCopy(
  database: Database,
  actor: Actor,
  places: PlaceNames,
  request: CopyRequest,
): Promise<Accepted & { replayed: boolean }> {
  const target = chooseRepository(
    request.target,
    places,
    'Restore the backup to a volume in its cluster, and back that up there.',
  )
  return requestOnce(database, actor, { copyBackup: request }, async (tx) => {
    const { projectId } = actor
    const source = await requireResource(tx, 'backup', { id: request.backupId, projectId })
    requireObjects(source, 'Restore it to a volume, and back that up in the other target.')
    if (source.target === target)
      throw new RequestError(
        400,
        'sameTarget',
        `Expected another target than ${target}, where the backup is.`,
      )
    const parent = await newestCopy(tx, source, target)
    const backupId = randomUUID()
    await insertCopy(tx, actor, source, {
      backupId,
      target,
      parentId: parent?.id ?? null,
      name: request.name,
    })
    const { volumeId, sizeBytes } = source
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'copy-backup',
      spec: {
        backupId,
        target,
        projectId,
        volumeId,
        sizeBytes,
        sourceBackupId: source.id,
        sourceTarget: source.target,
        parentBackupId: parent?.id ?? null,
        parentSourceId: parent?.sourceBackupId ?? null,
      },
      resources: {
        backup: backupId,
        source: source.id,
        ...(parent === undefined ? {} : { parent: parent.id }),
      },
      primary: 'backup',
      artifacts: [
        {
          kind: 'backup',
          placeType: 'target',
          place: target,
          id: backupId,
          parentId: projectId,
          purpose: 'result',
        },
      ],
    })
    return { operationId, resourceId: backupId }
  })
}

function newestCopy(
  tx: Tx,
  { projectId, volumeId, target: sourceTarget }: BackupRow,
  target: string,
): Promise<{ id: string; sourceBackupId: string | null } | undefined> {
  return tx
    .selectFrom('backups as copy')
    .innerJoin('backups as original', 'original.id', 'copy.sourceBackupId')
    .select(['copy.id', 'copy.sourceBackupId'])
    .where('copy.volumeId', '=', volumeId)
    .where('copy.projectId', '=', projectId)
    .where('copy.target', '=', target)
    .where('copy.status', 'in', ['available', 'restoring'])
    .where('original.target', '=', sourceTarget)
    .where('original.status', 'in', ['available', 'restoring'])
    .orderBy('copy.dataTimestamp', 'desc')
    .executeTakeFirst()
}

async function insertCopy(
  tx: Tx,
  actor: Actor,
  source: BackupRow,
  copy: { backupId: string; target: string; parentId: string | null; name: string | undefined },
): Promise<void> {
  const { volumeId, description, metadata, snapshotId, sizeBytes, dataTimestamp } = source
  await tx
    .insertInto('backups')
    .values({
      ...{ volumeId, description, metadata, snapshotId, sizeBytes, dataTimestamp },
      id: copy.backupId,
      projectId: actor.projectId,
      userId: actor.userId,
      name: copy.name ?? source.name,
      status: 'creating',
      createdAt: new Date().toISOString(),
      updatedAt: null,
      parentId: copy.parentId,
      target: copy.target,
      isIncremental: copy.parentId === null ? 0 : 1,
      objectCount: 0,
      storedBytes: 0,
      failReason: null,
      sourceBackupId: source.id,
    })
    .execute()
}
