import { refuseAttached } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'
import { refuseSnapshots } from './checks.ts'

/** Accepts the deletion of a volume. Like Cinder, refuses while the volume has snapshots. */
export function requestVolumeDeletion(
  database: Database,
  actor: Actor,
  volumeId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { deleteVolume: volumeId }, async (tx) => {
    const volume = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'delete-volume',
      spec: { volumeId, backend: volume.backend },
      resources: { volume: volumeId },
      primary: 'volume',
    })
    await refuseAttached(tx, volumeId)
    // Last: while a snapshot is being taken, the answer names who holds the volume.
    await refuseSnapshots(tx, volumeId)
    return { operationId, resourceId: volumeId }
  })
}
