import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** Reads a snapshot of the volume (the user's, or one that lives as long as this operation) into a target. */
export function createBackup(input: OperationInput) {
  return runOperation<'create-backup'>(input, {
    work: async (spec) => {
      if (spec.temporarySnapshot) await onPlace('backend', spec.backend).makeSnapshot(spec)
      return onData(spec.backend).uploadBackup(spec)
    },
    commit: (spec) => onPlace('target', spec.target).commitBackup(spec),
  })
}
