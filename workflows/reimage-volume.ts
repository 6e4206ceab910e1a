import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** The image's bytes in a volume that exists, zeroes behind them. Until the commit the volume has its old bytes. */
export function reimageVolume(input: OperationInput) {
  return runOperation<'reimage-volume'>(input, {
    work: async (spec) => {
      const content = { ...spec, volumeId: spec.contentId }
      await onPlace('backend', spec.backend).makeVolume(content)
      return onData(spec.backend).copyImage(content)
    },
    commit: async (spec) => {
      await onPlace('backend', spec.backend).replaceVolume(spec)
      return {}
    },
  })
}
