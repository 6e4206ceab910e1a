import { type OperationInput, runOperation } from './operation.ts'
import { onTargetData } from './proxies.ts'

/** Enters backups that a target has into the database. Each is entered at once: cancelling leaves those that were reached. */
export function importTarget(input: OperationInput) {
  return runOperation<'import-target'>(input, {
    work: (spec) => onTargetData(spec.target).importTarget(spec),
  })
}
