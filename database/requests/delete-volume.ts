import { refuseAttached } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource, type Tx } from '../resources.ts'
import { refuseSnapshots } from './checks.ts'

/** Accepts the deletion of a volume. Like Cinder, refuses while the volume has snapshots, unless they shall go with it. */
export function requestVolumeDeletion(
  database: Database,
  actor: Actor,
  volumeId: string,
  { cascade = false }: { cascade?: boolean } = {},
): Promise<Accepted & { replayed: boolean }> {
  const request = { deleteVolume: volumeId, ...(cascade ? { cascade } : {}) }
  return requestOnce(database, actor, request, async (tx) => {
    const volume = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    const snapshotIds = cascade ? await snapshotsOf(tx, volumeId) : []
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'delete-volume',
      spec: {
        volumeId,
        backend: volume.backend,
        ...(snapshotIds.length === 0 ? {} : { snapshotIds }),
        // Only of one that is being managed the size is not known.
        ...(volume.sizeBytes === 0 && { givesBack: true }),
      },
      resources: { volume: volumeId, snapshot: snapshotIds },
      primary: 'volume',
    })
    await refuseAttached(tx, volumeId)
    // Last: while a snapshot is being taken, the answer names who holds the volume.
    if (!cascade) await refuseSnapshots(tx, volumeId)
    return { operationId, resourceId: volumeId }
  })
}

async function snapshotsOf(tx: Tx, volumeId: string): Promise<string[]> {
  const rows = await tx
    .selectFrom('snapshots')
    .select('id')
    .where('volumeId', '=', volumeId)
    .orderBy('createdAt', 'desc')
    .execute()
  return rows.map(({ id }) => id)
}
