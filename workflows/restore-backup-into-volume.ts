import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** The backup's bytes in a volume that exists, zeroes behind them. Until the commit the volume has its old bytes. */
export function restoreBackupIntoVolume(input: OperationInput) {
  return runOperation<'restore-backup-into-volume'>(input, {
    work: async (spec) => {
      const { path } = await onPlace('backend', spec.backend).makeContent(spec)
      return onData(spec.backend).downloadChanges({ ...spec, path })
    },
    commit: async (spec) => {
      await onPlace('backend', spec.backend).replaceVolume(spec)
      return {}
    },
  })
}
