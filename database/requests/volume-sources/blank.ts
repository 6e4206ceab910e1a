import { RequestError } from '../../../domain/errors.ts'
import { acceptOperation } from '../../operations/accept.ts'
import type { Accepted } from '../../operations/idempotency.ts'
import { checkVolumeSize, choosePlace } from '../checks.ts'
import { insertVolume, type NewVolumeContext, volumeArtifact } from '../new-volume.ts'

export async function blank({ tx, actor, places, request, volumeId }: NewVolumeContext): Promise<Accepted> {
  const backend = choosePlace('backend', request.backend, places.backends)
  const { sizeBytes } = request
  if (sizeBytes === undefined)
    throw new RequestError(400, 'sizeMissing', 'Expected a size: there is no source to take it from.')
  checkVolumeSize(sizeBytes)
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
