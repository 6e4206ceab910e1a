import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** The uploaded bytes are in their stage: looks inside, and makes them an image. */
export function uploadImage(input: OperationInput) {
  return runOperation<'upload-image'>(input, {
    work: (spec) => onPlace('store', spec.store).inspectStage(spec),
    commit: async (spec) => {
      await onPlace('store', spec.store).publishImage(spec)
      return {}
    },
  })
}
