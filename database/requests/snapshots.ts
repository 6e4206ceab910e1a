import { randomUUID } from 'node:crypto'
import { guestOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'

export interface SnapshotRequest {
  readonly volumeId: string
  readonly name?: string
  readonly description?: string
  readonly metadata?: Record<string, string>
}

export function requestSnapshot(
  database: Database,
  actor: Actor,
  request: SnapshotRequest,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { createSnapshot: request }, async (tx) => {
    const volume = await requireResource(tx, 'volume', { id: request.volumeId, projectId: actor.projectId })
    const snapshotId = randomUUID()
    const { backend, sizeBytes } = volume
    await tx
      .insertInto('snapshots')
      .values({
        id: snapshotId,
        projectId: actor.projectId,
        userId: actor.userId,
        name: request.name ?? null,
        description: request.description ?? null,
        status: 'creating',
        metadata: JSON.stringify(request.metadata ?? {}),
        createdAt: new Date().toISOString(),
        updatedAt: null,
        volumeId: volume.id,
        sizeBytes,
        backend,
      })
      .execute()
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'create-snapshot',
      spec: { snapshotId, volumeId: volume.id, backend, ...(await guestOf(tx, volume.id)) },
      resources: { snapshot: snapshotId, volume: volume.id },
      primary: 'snapshot',
      artifacts: [
        {
          kind: 'snapshot',
          placeType: 'backend',
          place: backend,
          id: snapshotId,
          parentId: volume.id,
          purpose: 'result',
        },
      ],
    })
    return { operationId, resourceId: snapshotId }
  })
}

export function requestSnapshotDeletion(
  database: Database,
  actor: Actor,
  snapshotId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { deleteSnapshot: snapshotId }, async (tx) => {
    const snapshot = await requireResource(tx, 'snapshot', { id: snapshotId, projectId: actor.projectId })
    const { volumeId, backend } = snapshot
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'delete-snapshot',
      spec: { snapshotId, volumeId, backend },
      resources: { snapshot: snapshotId, volume: volumeId },
      primary: 'snapshot',
    })
    return { operationId, resourceId: snapshotId }
  })
}
