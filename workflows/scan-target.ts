import { type OperationInput, runOperation } from './operation.ts'
import { onTargetData } from './proxies.ts'

/** Finds the backups that Cinder keeps in a target; each gets a row. A second scan adds what is new. */
export function scanTarget(input: OperationInput) {
  return runOperation<'scan-target'>(input, {
    work: (spec) => onTargetData(spec.target).scanTarget(spec),
  })
}
