import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** Only when nobody has it open any more. */
export function detachVolume(input: OperationInput) {
  return runOperation<'detach-volume'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.backend).detachVolume(spec)
      return {}
    },
  })
}
