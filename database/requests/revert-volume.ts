import { RequestError } from '../../domain/errors.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource, type Tx } from '../resources.ts'
import { requireSnapshotOf } from './checks.ts'

/** Accepts the return of a volume to its most recent snapshot. Like Cinder, to no other; and the volume keeps its size. */
export function requestRevert(
  database: Database,
  actor: Actor,
  volumeId: string,
  { snapshotId }: { snapshotId: string },
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { revertVolume: volumeId, snapshotId }, async (tx) => {
    const { projectId } = actor
    const { backend, sizeBytes } = await requireResource(tx, 'volume', { id: volumeId, projectId })
    await requireSnapshotOf(tx, volumeId, { id: snapshotId, projectId })
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'revert-to-snapshot',
      spec: { volumeId, snapshotId, backend, sizeBytes },
      resources: { volume: volumeId, snapshot: snapshotId },
      primary: 'volume',
    })
    // Last: while another snapshot is being taken, the answer names who holds the volume.
    await refuseUnlessLatest(tx, volumeId, snapshotId)
    return { operationId, resourceId: volumeId }
  })
}

async function refuseUnlessLatest(tx: Tx, volumeId: string, snapshotId: string): Promise<void> {
  const latest = await tx
    .selectFrom('snapshots')
    .select('id')
    .where('volumeId', '=', volumeId)
    .orderBy('createdAt', 'desc')
    .orderBy('id', 'desc')
    .executeTakeFirst()
  if (latest?.id === snapshotId) return
  throw new RequestError(
    400,
    'notLatestSnapshot',
    `Expected the most recent snapshot of volume ${volumeId}, which is ${latest?.id ?? 'gone'}, got ${snapshotId}. Delete later snapshots first, or create a volume from this one.`,
  )
}
