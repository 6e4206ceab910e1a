import { join } from 'node:path'
import type { CollectRequest } from '../backup-format/collect-request.ts'
import { collect, planCollection } from '../backup-format/collect.ts'
import type { Repository } from '../backup-format/repository.ts'
import { hasOpenOperation } from '../database/operations/read.ts'
import type { OperationSpecs } from '../domain/operations.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { RunningAttempt } from './attempt.ts'
import type { ActivityDependencies } from './dependencies.ts'

type Input = OperationSpecs['collect-target'] & { operationId: string }

/** One attempt: `outcome` is `done`, or `waiting` for backups that were begun before. Its figures are those of the whole operation. */
export async function collectOrPlan(
  { database, runFolder }: ActivityDependencies,
  { operationId, dryRun, force }: Input,
  repository: Repository,
  attempt: RunningAttempt,
): Promise<OperationResult> {
  const request: CollectRequest = {
    job: operationId,
    force: force === true,
    spillFolder: join(runFolder, `collect-${operationId}`),
    signal: attempt.signal,
    abortable: async ({ backupId }) => !(await hasOpenOperation(database, backupId)),
    onProgress: (progress) => attempt.progress({ ...progress, movedBytes: 0 }),
  }
  if (dryRun === true) {
    const { found, unneeded, exceedsBudget } = await planCollection(repository, request)
    return {
      outcome: 'done',
      dryRun,
      foundObjects: found.objects,
      foundBytes: found.bytes,
      unneededObjects: unneeded.objects,
      unneededBytes: unneeded.bytes,
      exceedsBudget,
    }
  }
  const { outcome, accounts } = await collect(repository, request)
  const { condemned, rescued, locked, deleted } = accounts
  return {
    outcome,
    condemnedObjects: condemned.objects,
    rescuedObjects: rescued.objects,
    lockedObjects: locked.objects,
    lockedBytes: locked.bytes,
    deletedObjects: deleted.objects,
    deletedBytes: deleted.bytes,
  }
}
