import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** An image of the volume as it is now. What a guest wrote is looked at as if somebody had uploaded it. */
export function uploadVolumeToImage(input: OperationInput) {
  return runOperation<'upload-volume-to-image'>(input, {
    work: async (spec) => {
      const staged = await onData(spec.backend).stageVolume(spec)
      const { virtualSizeBytes } = await onPlace('store', spec.store).inspectStage(spec)
      return { ...staged, virtualSizeBytes }
    },
    commit: async (spec) => {
      await onPlace('store', spec.store).publishImage(spec)
      return {}
    },
  })
}
