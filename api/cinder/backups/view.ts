import type { FastifyRequest } from 'fastify'
import type { BackupRow } from '../../../database/read.ts'
import { cinderStatus } from '../../../domain/cinder-status.ts'
import type { ApiContext } from '../../context.ts'
import { callerOf } from '../../identity/caller.ts'
import { linksFor, type LinksOf } from '../links.ts'
import { minorOf } from '../microversion.ts'
import { cinderTime } from '../times.ts'
import { gibOf } from '../volumes/view.ts'

/** Cinder's view of backups, as this caller sees them with this microversion. */
export async function backupViews(context: ApiContext, request: FastifyRequest, rows: readonly BackupRow[]) {
  const links = linksFor(context, request)
  const minor = minorOf(request)
  const { isAdmin } = callerOf(request)
  const parents = await parentsAmong(context, rows)
  return rows.map((row) => ({
    ...backupSummary(row, links),
    description: row.description,
    status: cinderStatus('backup', row.status),
    size: gibOf(row.sizeBytes),
    object_count: row.objectCount,
    container: row.container ?? row.target,
    availability_zone: 'nova',
    created_at: cinderTime(row.createdAt),
    updated_at: cinderTime(row.updatedAt),
    data_timestamp: cinderTime(row.dataTimestamp),
    volume_id: row.volumeId,
    snapshot_id: row.snapshotId,
    fail_reason: row.failReason,
    is_incremental: row.isIncremental === 1,
    has_dependent_backups: parents.has(row.id),
    ...(minor >= 18 && isAdmin ? { 'os-backup-project-attr:project_id': row.projectId } : {}),
    ...(minor >= 43 ? { metadata: JSON.parse(row.metadata) as Readonly<Record<string, string>> } : {}),
    ...(minor >= 56 ? { user_id: row.userId } : {}),
  }))
}

export function backupSummary({ id, name }: BackupRow, links: LinksOf) {
  return { id, name, links: links('backups', id) }
}

/** Those that another backup names as its parent. Ours can be deleted all the same. */
async function parentsAmong(
  { database }: ApiContext,
  rows: readonly BackupRow[],
): Promise<ReadonlySet<string>> {
  if (rows.length === 0) return new Set()
  const children = await database
    .selectFrom('backups')
    .select('parentId')
    .where(
      'parentId',
      'in',
      rows.map(({ id }) => id),
    )
    .execute()
  return new Set(children.flatMap(({ parentId }) => parentId ?? []))
}
