import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

export function deleteSnapshot(input: OperationInput) {
  return runOperation<'delete-snapshot'>(input, {
    commit: async (spec) => {
      await onPlace('backend', spec.backend).removeSnapshot(spec)
      return {}
    },
  })
}
