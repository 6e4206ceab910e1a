import { patched } from '@temporalio/workflow'
import { type OperationInput, runOperation } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** A volume with the image's content, converted to raw on the way unless it can be cloned, zeroes behind it. */
export function createVolumeFromImage(input: OperationInput) {
  return runOperation<'create-volume-from-image'>(input, {
    work: async (spec) => {
      const backend = onPlace('backend', spec.backend)
      // Operations that began without it go on as they began.
      if (!patched('clone-image')) {
        await backend.makeVolume(spec)
        return onData(spec.backend).copyImage(spec)
      }
      const first = await backend.makeVolumeFromImage({ ...spec, mayDerive: true })
      const isDerived = first.path === 'derive'
      const { movedBytes = 0 } = isDerived ? await onData(spec.backend).deriveImage(spec) : {}
      const { path } = isDerived ? await backend.makeVolumeFromImage(spec) : first
      return path === 'copy' ? onData(spec.backend).copyImage(spec) : { path, movedBytes }
    },
  })
}
