import { type OperationInput, runOperation } from './operation.ts'
import { control, onData, onPlace } from './proxies.ts'

/** The volume in another backend, under the same id. Its old copy is the last thing to go, as the artifact that it becomes. */
export function migrateVolume(input: OperationInput) {
  return runOperation<'migrate-volume'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.toBackend).makeVolume({ ...spec, backend: spec.toBackend })
      return onData(spec.toBackend).copyVolume(spec)
    },
    commit: async ({ operationId }) => {
      await control.switchBackend(operationId)
      return {}
    },
  })
}
