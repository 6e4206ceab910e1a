import { type OperationInput, runOperation } from './operation.ts'
import { volumeFromSnapshot } from './volume-from-snapshot.ts'

export function createVolumeFromSnapshot(input: OperationInput) {
  return runOperation<'create-volume-from-snapshot'>(input, { work: volumeFromSnapshot })
}
