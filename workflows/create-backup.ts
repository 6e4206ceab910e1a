import { type OperationInput, runOperation } from './operation.ts'
import { control, onData, onPlace } from './proxies.ts'

/** Reads a snapshot of the volume (the user's, or one that lives as long as this operation) into a target. */
export function createBackup(input: OperationInput) {
  return runOperation<'create-backup'>(input, {
    work: async (spec) => {
      if (spec.temporarySnapshot) await onPlace('backend', spec.backend).makeSnapshot(spec)
      // A guest's volume is held no longer than this: what is read is the snapshot.
      if (spec.guest !== undefined) await control.letGo(spec.operationId, 'attached')
      const uploaded = await onData(spec.backend).uploadBackup(spec)
      if (spec.guest !== undefined) {
        if (spec.keepSnapshot !== true) await onPlace('backend', spec.backend).removeSnapshot(spec)
        await onData(spec.backend).mergeGuestLayers(spec)
      }
      return uploaded
    },
    commit: (spec) => onPlace('target', spec.target).commitBackup(spec),
  })
}
