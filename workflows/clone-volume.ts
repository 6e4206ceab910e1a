import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'
import { volumeFromSnapshot } from './volume-from-snapshot.ts'

/** A volume with the bytes that another has now, by way of a snapshot that lives as long as this operation. */
export function cloneVolume(input: OperationInput) {
  return runOperation<'clone-volume'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.backend).makeSnapshot({ ...spec, volumeId: spec.sourceVolumeId })
      return volumeFromSnapshot(spec)
    },
  })
}
