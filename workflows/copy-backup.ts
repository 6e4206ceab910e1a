import { type OperationInput, runOperation } from './operation.ts'
import { onPlace, onTargetData } from './proxies.ts'

/** A backup of another target becomes one in this target: read there, sealed anew under this one's keys. */
export function copyBackup(input: OperationInput) {
  return runOperation<'copy-backup'>(input, {
    work: (spec) => onTargetData(spec.target).copyBackup(spec),
    commit: (spec) => onPlace('target', spec.target).commitBackup(spec),
  })
}
