import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** A volume with the snapshot's content, zeroes behind it: a clone where that is possible, else (or when flattened) a copy. */
export function createVolumeFromSnapshot(input: OperationInput) {
  return runOperation<'create-volume-from-snapshot'>(input, {
    work: async (spec) => {
      const { path } = await onPlace('backend', spec.backend).makeVolumeFromSnapshot(spec)
      if (path !== 'copy') return { path, movedBytes: 0 }
      return onData(spec.backend).copySnapshot(spec)
    },
  })
}
