import { randomUUID } from 'node:crypto'
import { guestOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'
import { contentArtifact } from './new-volume.ts'

/** Accepts that a volume shall read from nothing but itself. */
export function requestFlatten(
  database: Database,
  actor: Actor,
  volumeId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { flattenVolume: volumeId }, async (tx) => {
    const { projectId } = actor
    const { backend, sizeBytes } = await requireResource(tx, 'volume', { id: volumeId, projectId })
    const contentId = randomUUID()
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'flatten-volume',
      spec: { volumeId, backend, sizeBytes, contentId, ...(await guestOf(tx, volumeId)) },
      resources: { volume: volumeId },
      primary: 'volume',
      artifacts: [contentArtifact(backend, contentId)],
    })
    return { operationId, resourceId: volumeId }
  })
}
