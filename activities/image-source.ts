import type { OpenDevice } from '../block-io/device.ts'
import { planArtifact } from '../database/operations/artifacts.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import { DriverError } from '../domain/errors.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { RunningAttempt } from './attempt.ts'
import { copyBytes, using } from './copy-bytes.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type FromImage = OperationSpecs['create-volume-from-image'] & { operationId: string }

/** A user's qcow2 is read by a confined process only. */
export async function openImage(
  deps: ActivityDependencies,
  { store, imageId, diskFormat, virtualSizeBytes }: FromImage,
): Promise<OpenDevice> {
  const image = await place(deps.stores, 'store', store).openImage(imageId, diskFormat)
  // A container's size is that of its file; what is copied is the disk in it.
  return { ...image, sizeBytes: image.untrusted === true ? virtualSizeBytes : image.sizeBytes }
}

/** The image's raw bytes beside it. Repeatable; somebody else's may be there already. */
export async function deriveImage(
  deps: ActivityDependencies,
  input: FromImage,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const { operationId, store, imageId, virtualSizeBytes } = input
  const { derived } = place(deps.stores, 'store', store)
  if (derived === undefined) throw new Error(`Expected store ${store} to keep what is derived from images`)
  const path = 'confined-convert'
  const draft = { imageId, draftId: input.volumeId }
  if ((await derived.cloneSource(imageId)) !== undefined)
    return { path, movedBytes: attempt.movedBytesBefore }
  const artifact = {
    kind: 'derived',
    placeType: 'store',
    place: store,
    id: draft.draftId,
    parentId: imageId,
  } as const
  if (!(await planArtifact(deps.database, operationId, { ...artifact, purpose: 'temporary' })))
    throw new DriverError('transient', `Expected operation ${operationId} to be running`)
  const image = await openImage(deps, input)
  return using(image, async () => {
    const target = await derived.openDraft({ ...draft, sizeBytes: virtualSizeBytes })
    const result = await using(target, () => copyBytes(deps, { source: image, target, path }, attempt))
    await derived.publish(draft)
    return result
  })
}
