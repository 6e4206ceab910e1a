import { RequestError } from '../../../domain/errors.ts'
import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { checkVolumeSize } from '../checks.ts'
import { insertVolume, type NewVolumeContext, placeFor, volumeArtifact } from '../new-volume.ts'

export async function blank(context: NewVolumeContext): Promise<Accepted> {
  const { tx, actor, request, volumeId } = context
  const { sizeBytes } = request
  if (sizeBytes === undefined)
    throw new RequestError(400, 'sizeMissing', 'Expected a size: there is no source to take it from.')
  checkVolumeSize(sizeBytes)
  const backend = await placeFor(context, sizeBytes)
  await insertVolume(tx, actor, request, { volumeId, backend, sizeBytes })
  const operationId = await acceptOperation(tx, {
    actor,
    kind: 'create-volume',
    spec: { volumeId, backend, sizeBytes },
    resources: { volume: volumeId },
    primary: 'volume',
    artifacts: [volumeArtifact(backend, volumeId)],
  })
  return { operationId, resourceId: volumeId }
}
