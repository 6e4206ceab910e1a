import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** A volume with the image's content, converted to raw on the way, zeroes behind it. */
export function createVolumeFromImage(input: OperationInput) {
  return runOperation<'create-volume-from-image'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.backend).makeVolume(spec)
      return onData(spec.backend).copyImage(spec)
    },
  })
}
