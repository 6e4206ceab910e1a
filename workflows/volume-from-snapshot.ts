import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { OperationInput } from './operation.ts'
import { onData, onPlace } from './proxies.ts'

/** Makes a volume with the snapshot's content, zeroes behind it: a clone where that is possible, else (or when flattened) a copy. */
export async function volumeFromSnapshot(
  spec: OperationSpecs['create-volume-from-snapshot'] & OperationInput,
): Promise<OperationResult> {
  const { path } = await onPlace('backend', spec.backend).makeVolumeFromSnapshot(spec)
  if (path !== 'copy') return { path, movedBytes: 0 }
  return onData(spec.backend).copySnapshot(spec)
}
