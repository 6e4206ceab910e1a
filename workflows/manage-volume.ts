import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** One step: what is there becomes the volume, or nothing has happened. Nothing is ever removed on the way out: the bytes are not ours. */
export function manageVolume(input: OperationInput) {
  return runOperation<'manage-volume'>(input, {
    commit: (spec) => onPlace('backend', spec.backend).manageVolume(spec),
  })
}
