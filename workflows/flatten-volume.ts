import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** The volume gets everything that it still reads from others. Until the commit, and wherever it is stopped, it reads as before. */
export function flattenVolume(input: OperationInput) {
  let isCopy = false
  return runOperation<'flatten-volume'>(input, {
    work: async (spec) => {
      const result = await onData(spec.backend).flattenVolume(spec)
      isCopy = result.path === 'flatten-copy'
      return result
    },
    commit: async (spec) => {
      if (isCopy) await onPlace('backend', spec.backend).replaceVolume(spec)
      return {}
    },
  })
}
