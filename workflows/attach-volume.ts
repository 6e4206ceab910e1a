import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** From the end of it on the volume is a guest's: the result says how the guest opens it. */
export function attachVolume(input: OperationInput) {
  return runOperation<'attach-volume'>(input, {
    work: (spec) => onPlace('backend', spec.backend).attachVolume(spec),
  })
}
