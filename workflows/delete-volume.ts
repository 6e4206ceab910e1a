import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** Once the first byte may be gone there is no way back, so everything is behind the commit point. */
export function deleteVolume(input: OperationInput) {
  return runOperation<'delete-volume'>(input, {
    commit: async (spec) => {
      const backend = onPlace('backend', spec.backend)
      for (const snapshotId of spec.snapshotIds ?? []) await backend.removeSnapshot({ ...spec, snapshotId })
      if (spec.givesBack === true) await backend.unmanageVolume(spec)
      else await backend.removeVolume(spec)
      return {}
    },
  })
}
