import { type OperationInput, runOperation } from './operation.ts'
import { onPlace } from './proxies.ts'

/** A volume does not shrink again, so everything is behind the commit point. */
export function extendVolume(input: OperationInput) {
  return runOperation<'extend-volume'>(input, {
    commit: async (spec) => {
      await onPlace('backend', spec.backend).extendVolume(spec)
      return { path: 'resize', movedBytes: 0, sizeBytes: spec.sizeBytes }
    },
  })
}
