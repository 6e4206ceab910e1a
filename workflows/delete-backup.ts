import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** Removes the backup's record; what only it needed goes with the target's next collection. */
export function deleteBackup(input: OperationInput) {
  return runOperation<'delete-backup'>(input, {
    commit: async (spec) => {
      await onPlace('target', spec.target).removeBackup(spec)
      return {}
    },
  })
}
