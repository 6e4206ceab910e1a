import type { OperationSpecs } from '../domain/operations.ts'
import { attempted } from './attempt.ts'
import { type ActivityDependencies, place } from './dependencies.ts'

type Input<K extends keyof OperationSpecs> = OperationSpecs[K] & { operationId: string }

/** What others put into a backend, and what they get back. */
export function createManagementActivities({ database, backends }: ActivityDependencies) {
  const backend = (name: string) => place(backends, 'backend', name)
  return {
    manageVolume: (input: Input<'manage-volume'>): Promise<{ sizeBytes: number }> =>
      attempted(database, input.operationId, () => backend(input.backend).manageVolume(input)),

    unmanageVolume: (input: Input<'unmanage-volume'>): Promise<{ sourceName: string }> =>
      attempted(database, input.operationId, () => backend(input.backend).unmanageVolume(input)),
  }
}
