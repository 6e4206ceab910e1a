import { RequestError } from '../../domain/errors.ts'
import { formatBytes } from '../../domain/sizes.ts'
import { guestOf } from '../attachments.ts'
import type { Database } from '../open.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import { type Accepted, requestOnce } from '../operations/idempotency.ts'
import { requireResource } from '../resources.ts'
import { checkVolumeSize } from './checks.ts'

/** Accepts a larger size for a volume, which the row shows when the operation has succeeded. */
export function requestVolumeExtension(
  database: Database,
  actor: Actor,
  volumeId: string,
  { sizeBytes }: { sizeBytes: number },
): Promise<Accepted & { replayed: boolean }> {
  checkVolumeSize(sizeBytes)
  return requestOnce(database, actor, { extendVolume: volumeId, sizeBytes }, async (tx) => {
    const volume = await requireResource(tx, 'volume', { id: volumeId, projectId: actor.projectId })
    if (sizeBytes <= volume.sizeBytes) {
      throw new RequestError(
        400,
        'sizeNotLarger',
        `Expected a size larger than the volume's (${volume.sizeBytes} bytes, ${formatBytes(volume.sizeBytes)}), got ${sizeBytes} bytes.`,
      )
    }
    const operationId = await acceptOperation(tx, {
      actor,
      kind: 'extend-volume',
      spec: { volumeId, backend: volume.backend, sizeBytes, ...(await guestOf(tx, volumeId)) },
      resources: { volume: volumeId },
      primary: 'volume',
    })
    return { operationId, resourceId: volumeId }
  })
}
