import { enterBackup, type FoundBackup } from '../database/operations/enter-backup.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { FoundInPool } from '../drivers/backups/pool.ts'
import type { RunningAttempt } from './attempt.ts'
import type { ActivityDependencies } from './dependencies.ts'
import { keepIfThere } from './keep-if-there.ts'
import { poolOf } from './pooled-backups.ts'

type Import = OperationSpecs['import-target']

/** Enters each backup that the database does not know. What lies in a pool says of no project: they are those of whoever asks. */
export async function importFromPool(
  deps: ActivityDependencies,
  input: Import,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const pool = poolOf(deps, input)
  const counts = { imported: 0, known: 0, unreadable: 0 }
  for await (const found of pool.found()) {
    attempt.signal.throwIfAborted()
    const { backupId, volumeId } = found
    if (!(await enterBackup(deps.database, rowOf(input, found)))) counts.known += 1
    else if (await keepIfThere(deps.database, backupId, () => pool.copySource({ backupId, volumeId })))
      counts.imported += 1
    const movedBytes = counts.imported + counts.known
    attempt.progress({ phase: 'importing', doneBytes: 0, totalBytes: 0, movedBytes })
  }
  return counts
}

function rowOf({ target, projectId, userId }: Import, found: FoundInPool): FoundBackup {
  const { backupId: id, volumeId, parentBackupId: parentId, sizeBytes, storedBytes, madeAtMs } = found
  const madeAt = new Date(madeAtMs).toISOString()
  return {
    ...{ id, volumeId, parentId, sizeBytes, storedBytes, projectId, userId, target, format: 'rbd' },
    ...{ name: null, description: null, metadata: {}, snapshotId: null, objectCount: 0 },
    ...{ createdAt: madeAt, dataTimestamp: madeAt },
  }
}
