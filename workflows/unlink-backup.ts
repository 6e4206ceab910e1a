import { type OperationInput, runOperation } from './operation.ts'
import { onPlace, onTargetData } from './proxies.ts'

/**
 * Deletes a backup on which others build: each of these gets its content first. Cancelled on the way, it is still there, and what
 * was merged no longer needs it.
 */
export function unlinkBackup(input: OperationInput) {
  return runOperation<'unlink-backup'>(input, {
    work: (spec) => onTargetData(spec.target).mergeForward(spec),
    commit: async (spec) => {
      await onPlace('target', spec.target).removeUnlinked(spec)
      return {}
    },
  })
}
