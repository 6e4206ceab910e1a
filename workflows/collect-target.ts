import { sleep } from '@temporalio/workflow'
import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/**
 * Removes from a target what no backup needs. A collection waits for backups that were begun before it; each step can be repeated,
 * and cancelling leaves the rest to the next collection.
 */
export function collectTarget(input: OperationInput) {
  return runOperation<'collect-target'>(input, {
    work: async (spec) => {
      for (;;) {
        const { outcome, ...result } = await onPlace('target', spec.target).collect(spec)
        if (outcome === 'done') return result
        await sleep('10s')
      }
    },
  })
}
