import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

export function createSnapshot(input: OperationInput) {
  return runOperation<'create-snapshot'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.backend).makeSnapshot(spec)
      return {}
    },
  })
}
