import type { Operation } from './types.ts'

export function hasEnded(operation: Pick<Operation, 'finishedAt'>): boolean {
  return operation.finishedAt !== null
}
