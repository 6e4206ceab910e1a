import { randomUUID } from 'node:crypto'
import { RequestError } from '../../domain/errors.ts'
import { attachmentOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'

/**
 * Accepts that a guest gets the volume. Again, for a volume that it has: it is told the connection that is right now, and whoever
 * attached it without a guest's name can add that.
 */
export function requestAttachment(
  database: Database,
  actor: Actor,
  volumeId: string,
  { guest }: { guest?: string },
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { attachVolume: volumeId, guest: guest ?? null }, async (tx) => {
    const { backend } = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    const attachment = await attachmentOf(tx, volumeId)
    const has = attachment?.guest ?? undefined
    if (has !== undefined && has !== guest) {
      throw new RequestError(
        409,
        'volumeInUse',
        `Volume ${volumeId} is attached to guest ${has}. Detach it first.`,
      )
    }
    const attachmentId = attachment?.id ?? randomUUID()
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'attach-volume',
      spec: { volumeId, backend, attachmentId, ...(guest === undefined ? {} : { guest }) },
      resources: { volume: volumeId },
      primary: 'volume',
    })
    return { operationId, resourceId: volumeId }
  })
}

export function requestDetachment(
  database: Database,
  actor: Actor,
  volumeId: string,
): Promise<Accepted & { replayed: boolean }> {
  return requestOnce(database, actor, { detachVolume: volumeId }, async (tx) => {
    const { backend } = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    if ((await attachmentOf(tx, volumeId)) === undefined) {
      throw new RequestError(409, 'volumeNotAttached', `Volume ${volumeId} is not attached.`)
    }
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'detach-volume',
      spec: { volumeId, backend },
      resources: { volume: volumeId },
      primary: 'volume',
    })
    return { operationId, resourceId: volumeId }
  })
}
