import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

export function deleteImage(input: OperationInput) {
  return runOperation<'delete-image'>(input, {
    commit: async (spec) => {
      for (const store of [...(spec.copies ?? []), spec.store])
        await onPlace('store', store).removeImage({ ...spec, store })
      return {}
    },
  })
}
