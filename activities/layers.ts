import { DriverError } from '../domain/errors.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { SnapshotRef, VolumeDriver } from '../drivers/volumes/driver.ts'
import { attempted, type RunningAttempt } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

/** Where snapshots are layers, there may be too many of them. */
export function createLayerActivities(deps: ActivityDependencies) {
  const backend = (name: string) => place(deps.backends, 'backend', name)
  return {
    makeSnapshot: (input: Input<'create-snapshot'>): Promise<void> =>
      attempted(deps.database, input.operationId, (attempt) =>
        makeSnapshot(backend(input.backend), input, attempt),
      ),

    /** Layers that no snapshot needs apart become one. A guest that has one of them open is no failure: `open`. */
    compactVolume: (input: Input<'merge-layers'>): Promise<OperationResult> =>
      attempted(deps.database, input.operationId, async (attempt) => {
        try {
          const mergedLayers = await compact(backend(input.backend), input.volumeId, attempt)
          return { path: 'merge', mergedLayers }
        } catch (error) {
          if (error instanceof DriverError && error.kind === 'busy') return { path: 'open' }
          throw error
        }
      }),
  }
}

async function makeSnapshot(driver: VolumeDriver, ref: SnapshotRef, attempt: RunningAttempt): Promise<void> {
  try {
    await driver.createSnapshot(ref)
  } catch (error) {
    if (!(error instanceof DriverError && error.kind === 'unsupported')) throw error
    // The background was not fast enough: there may be layers that need not be.
    if ((await compact(driver, ref.volumeId, attempt)) === 0) throw error
    await driver.createSnapshot(ref)
  }
}

async function compact(driver: VolumeDriver, volumeId: string, attempt: RunningAttempt): Promise<number> {
  const { signal } = attempt
  const onProgress = (progress: { doneBytes: number; totalBytes: number }) =>
    attempt.progress({ phase: 'merging', ...progress, movedBytes: progress.doneBytes })
  const done = await driver.compactVolume?.({ volumeId, signal, onProgress })
  return done?.mergedLayers ?? 0
}
