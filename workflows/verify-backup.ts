import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace, onTargetData } from './proxies.ts'

/** Looks whether a backup could be restored; or restores it, to a volume that is compared and then removed. */
export function verifyBackup(input: OperationInput) {
  return runOperation<'verify-backup'>(input, {
    work: async (spec) => {
      const { backend } = spec
      const found = await onTargetData(spec.target).verifyBackup(spec)
      // What is damaged cannot be restored: nothing more to learn.
      if (backend === null || found.damagedObjects !== 0) return found
      await onPlace('backend', backend).makeVolume({ ...spec, backend })
      await onData(backend).downloadBackup({ ...spec, backend })
      return onData(backend).compareBackup({ ...spec, backend })
    },
  })
}
