import { type OperationInput, runOperation } from './operation.ts'
import { onPlace, onStoreData } from './proxies.ts'

/** An image's bytes go to another store, too; until the commit that one has nothing of it. */
export function copyImage(input: OperationInput) {
  return runOperation<'copy-image'>(input, {
    work: (spec) => onStoreData(spec.toStore).copyImageBytes(spec),
    commit: async (spec) => {
      await onPlace('store', spec.toStore).publishImage({ ...spec, store: spec.toStore })
      return {}
    },
  })
}
