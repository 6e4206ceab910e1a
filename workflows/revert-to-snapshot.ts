import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** The driver swaps the bytes in one step: repeated until it is done, and never half-way. */
export function revertToSnapshot(input: OperationInput) {
  return runOperation<'revert-to-snapshot'>(input, {
    commit: async (spec) => {
      const { path } = await onPlace('backend', spec.backend).revertVolume(spec)
      return { path, movedBytes: 0 }
    },
  })
}
