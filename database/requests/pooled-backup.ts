import { RequestError } from '../../domain/errors.ts'
import type { BackupRow } from '../read.ts'

/** For what cannot be done with a snapshot in a pool. `instead`: what to do. Throws RequestError 400. */
export function requireObjects({ id, target, format }: BackupRow, instead: string): void {
  if (format !== 'rbd') return
  throw new RequestError(
    400,
    'snapshotTarget',
    `Expected a backup that consists of objects, but backup ${id} is a snapshot in target ${target}. ${instead}`,
  )
}
