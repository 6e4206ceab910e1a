import { DriverError } from '../domain/errors.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import { attempted } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

/** Volumes that a guest has open. */
export function createAttachmentActivities(deps: ActivityDependencies) {
  const backend = (name: string) => place(deps.backends, 'backend', name)
  return {
    /** The connection is JSON for qemu's `-blockdev`; `connectionInfo` is JSON as Cinder gives it, where its driver gives another. */
    attachVolume: (input: Input<'attach-volume'>): Promise<{ connection: string; connectionInfo?: string }> =>
      attempted(deps.database, input.operationId, async () => {
        const { blockdev, connectionInfo } = await backend(input.backend).attachVolume(input)
        const ofCinder = connectionInfo && { connectionInfo: JSON.stringify(connectionInfo) }
        return { connection: JSON.stringify(blockdev), ...ofCinder }
      }),

    detachVolume: (input: Input<'detach-volume'>): Promise<void> =>
      attempted(deps.database, input.operationId, () => backend(input.backend).detachVolume(input)),

    /** What a temporary snapshot left in a guest. It costs nothing but time to leave it for the next time: failures are none. */
    mergeGuestLayers: (input: {
      operationId: string
      backend: string
      volumeId: string
      guest?: string
    }): Promise<void> =>
      attempted(deps.database, input.operationId, async ({ signal }) => {
        try {
          await backend(input.backend).compactVolume?.({ ...input, signal })
        } catch (error) {
          if (signal.aborted || !(error instanceof DriverError)) throw error
        }
      }),
  }
}
