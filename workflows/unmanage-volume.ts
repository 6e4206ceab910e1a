import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** The volume's bytes stay where they are, under the name that the result says. */
export function unmanageVolume(input: OperationInput) {
  return runOperation<'unmanage-volume'>(input, {
    commit: (spec) => onPlace('backend', spec.backend).unmanageVolume(spec),
  })
}
