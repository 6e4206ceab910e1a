import { type OperationInput, runOperation } from './operation.ts'
import { onData } from './proxies.ts'

/** Puts layers together that no snapshot needs apart any more. Stopped at any point, all of them read as before. */
export function mergeLayers(input: OperationInput) {
  return runOperation<'merge-layers'>(input, {
    work: (spec) => onData(spec.backend).compactVolume(spec),
  })
}
