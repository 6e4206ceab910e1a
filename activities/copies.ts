import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import { attempted } from './attempt.ts'
import { copyInto, using } from './copy-bytes.ts'
import { type ActivityDependencies, place } from './dependencies.ts'
import { flatten } from './flatten.ts'
import { deriveImage, openImage } from './image-source.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

export function createCopyActivities(deps: ActivityDependencies) {
  return {
    /** Image into a volume that this operation made: a user's qcow2 is read by a confined process only. */
    copyImage: (input: Input<'create-volume-from-image'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const image = await openImage(deps, input)
        const path = image.untrusted === true ? 'confined-convert' : 'copy'
        return using(image, () => copyInto(deps, input, image, path, attempt))
      }),

    /** The image's raw bytes beside it, for its volumes to be clones of. Another operation may have made them meanwhile: fine. */
    deriveImage: (input: Input<'create-volume-from-image'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) => deriveImage(deps, input, attempt)),

    /** Snapshot into a volume that this operation made: afterwards the volume depends on nothing. */
    copySnapshot: (input: Input<'create-volume-from-snapshot'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const snapshot = { volumeId: input.sourceVolumeId, snapshotId: input.snapshotId }
        const source = await place(deps.backends, 'backend', input.backend).openSnapshot(snapshot)
        return using(source, () => copyInto(deps, input, source, 'flatten-copy', attempt))
      }),

    /**
     * A volume gets what it reads from others: in its place where its driver can do that, else as a copy of everything that takes its
     * place later.
     */
    flattenVolume: (input: Input<'flatten-volume'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, (attempt) => flatten(deps, input, attempt)),

    /** A volume into its new backend, where it has the same id. */
    copyVolume: (input: Input<'migrate-volume'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        const { volumeId, toBackend } = input
        const source = await place(deps.backends, 'backend', input.backend).openVolume({
          volumeId,
          access: 'read',
        })
        return using(source, () => copyInto(deps, { volumeId, backend: toBackend }, source, 'copy', attempt))
      }),
  }
}
