import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** A blank volume. */
export function createVolume(input: OperationInput) {
  return runOperation<'create-volume'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.backend).makeVolume(spec)
      return { path: 'blank', movedBytes: 0 }
    },
  })
}
