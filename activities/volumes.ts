import type { OperationSpecs } from '../domain/operations.ts'
import { attempted } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

export function createVolumeActivities(deps: ActivityDependencies) {
  const backend = (name: string) => place(deps.backends, 'backend', name)
  return {
    /** A volume of zeroes. */
    makeVolume: (input: {
      operationId: string
      backend: string
      volumeId: string
      sizeBytes: number
    }): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).createVolume(input)),

    /**
     * The cheapest way to the snapshot's bytes: a clone where the driver has one and it may depend on its snapshot, or is
     * independent at once; else `copy`, and the volume is there, all zeroes, to be copied into.
     */
    makeVolumeFromSnapshot: (input: Input<'create-volume-from-snapshot'>): Promise<{ path: string }> =>
      attempted(deps.database, input.operationId, async () => {
        const driver = backend(input.backend)
        const { clone, reflink } = driver.capabilities
        if (clone && (reflink || !input.flatten)) {
          const { sourceVolumeId: volumeId, snapshotId, volumeId: newVolumeId, sizeBytes } = input
          return driver.cloneSnapshot({ volumeId, snapshotId, newVolumeId, sizeBytes })
        }
        await driver.createVolume(input)
        return { path: 'copy' }
      }),

    removeVolume: (input: Input<'delete-volume'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).deleteVolume(input)),

    extendVolume: (input: Input<'extend-volume'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).extendVolume(input)),

    revertVolume: (input: Input<'revert-to-snapshot'>): Promise<{ path: string }> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).revertVolume(input)),

    makeSnapshot: (input: Input<'create-snapshot'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).createSnapshot(input)),

    removeSnapshot: (input: Input<'delete-snapshot'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).deleteSnapshot(input)),
  }
}
