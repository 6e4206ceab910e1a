import type { FastifyRequest } from 'fastify'
import type { SnapshotRow } from '../../../database/read.ts'
import { cinderStatus } from '../../../domain/cinder-status.ts'
import { minorOf } from '../microversion.ts'
import { cinderTime } from '../times.ts'
import { gibOf } from '../volumes/view.ts'

/** Cinder's view of a snapshot with this request's microversion. */
export function snapshotView(request: FastifyRequest, row: SnapshotRow) {
  return {
    ...changedSnapshotView(request, row),
    'os-extended-snapshot-attributes:progress': row.status === 'creating' ? '0%' : '100%',
    'os-extended-snapshot-attributes:project_id': row.projectId,
  }
}

/** What creation and change answer: what Cinder adds by extensions, it adds to snapshots that are shown. */
export function changedSnapshotView(request: FastifyRequest, row: SnapshotRow) {
  const minor = minorOf(request)
  return {
    ...snapshotSummary(request, row),
    ...(minor >= 14 ? { group_snapshot_id: null } : {}),
    ...(minor >= 41 ? { user_id: row.userId } : {}),
  }
}

/** As in lists without details. */
export function snapshotSummary(request: FastifyRequest, row: SnapshotRow) {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    status: cinderStatus('snapshot', row.status),
    size: gibOf(row.sizeBytes),
    volume_id: row.volumeId,
    metadata: JSON.parse(row.metadata) as Readonly<Record<string, string>>,
    created_at: cinderTime(row.createdAt),
    updated_at: cinderTime(row.updatedAt),
    ...(minorOf(request) >= 65 ? { consumes_quota: true } : {}),
  }
}
