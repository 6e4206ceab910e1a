import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** A new volume with the backup's content, zeroes behind it. */
export function restoreBackup(input: OperationInput) {
  return runOperation<'restore-backup'>(input, {
    work: async (spec) => {
      await onPlace('backend', spec.backend).makeVolume(spec)
      return onData(spec.backend).downloadBackup(spec)
    },
  })
}
