import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

export function deleteImage(input: OperationInput) {
  return runOperation<'delete-image'>(input, {
    commit: async (spec) => {
      await onPlace('store', spec.store).removeImage(spec)
      return {}
    },
  })
}
