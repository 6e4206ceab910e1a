import type { Selectable } from 'kysely'
import {
  OPERATION_ROLES,
  type OperationEnd,
  type OperationKind,
  type OperationSpecs,
  type ResourceRole,
} from '../../domain/operations.ts'
import { applyToAttachments, restingStatus } from '../attachments.ts'
import { recordEvent } from '../events/record.ts'
import type { Database } from '../open.ts'
import {
  isStored,
  removeResource,
  resourceStatus,
  setStatus,
  type StoredResourceType,
  type Tx,
} from '../resources.ts'
import type { OperationResourcesTable } from '../schema.ts'
import { keepSnapshot } from './kept-snapshots.ts'
import { letGoOfLocks } from './left-locks.ts'
import { applyResult } from './result-columns.ts'

/** Writes the operation's end once, gives its resources their next status and lets go of its locks. Repeatable: the first end stays. */
export async function endOperation(
  database: Database,
  operationId: string,
  end: OperationEnd,
): Promise<void> {
  await database.transaction().execute((tx) => endInTransaction(tx, operationId, end))
}

/** False: it had ended before. */
export async function endInTransaction(tx: Tx, operationId: string, end: OperationEnd): Promise<boolean> {
  await tx.deleteFrom('attempts').where('operationId', '=', operationId).execute()
  const operation = await tx
    .updateTable('operations')
    .set({
      state: end.outcome,
      result: end.result === undefined ? null : JSON.stringify(end.result),
      errorCode: end.error?.code ?? null,
      errorMessage: end.error?.message ?? null,
      nextRetryAt: null,
      finishedAt: new Date().toISOString(),
    })
    .where('id', '=', operationId)
    .where('state', 'in', ['pending', 'running'])
    .returning(['kind', 'spec', 'projectId', 'userId', 'resourceType', 'resourceId'])
    .executeTakeFirst()
  if (operation === undefined) {
    await letGoOfLocks(tx, operationId)
    return false
  }
  const locks = await tx
    .deleteFrom('operationResources')
    .where('operationId', '=', operationId)
    .returningAll()
    .execute()
  await applyToAttachments(tx, operation, end)
  let superseded = false
  for (const lock of locks) {
    if (!(await release(tx, operation.kind, lock, end))) superseded = true
  }
  if (superseded) {
    await tx.updateTable('operations').set({ superseded: 1 }).where('id', '=', operationId).execute()
  } else {
    await applyResult(tx, operation, end)
  }
  if (end.outcome === 'succeeded') {
    if (operation.kind === 'create-backup') {
      await keepSnapshot(tx, JSON.parse(operation.spec) as OperationSpecs['create-backup'])
    }
    await tx
      .deleteFrom('artifacts')
      .where('operationId', '=', operationId)
      .where('purpose', '=', 'result')
      .execute()
  }
  await recordEvent(tx, operationId, 'ended')
  return true
}

/** False: the resource is no longer in the state in which this operation held it, so it was left alone. */
async function release(
  tx: Tx,
  kind: OperationKind,
  lock: Selectable<OperationResourcesTable>,
  end: OperationEnd,
): Promise<boolean> {
  const roles: Readonly<Record<string, ResourceRole>> = OPERATION_ROLES[kind]
  const next = nextStatus(roles[lock.role], end)
  if (!isStored(lock.resourceType) || next === undefined) return true
  if (lock.busyStatus === null && next === 'previous') return true
  const status = await resourceStatus(tx, lock.resourceType, lock.resourceId)
  const others = await busyHolders(tx, lock.resourceId)
  const shown = [lock.busyStatus, ...others.map((other) => other.busyStatus)]
  // What was being created and deleted at the same time is gone when either has ended.
  if (status === undefined) return next === 'gone'
  if (!shown.includes(status)) return false
  if (next === 'gone') await removeResource(tx, lock.resourceType, lock.resourceId)
  else if (next === 'previous') {
    await setNext(tx, lock.resourceType, lock, others[0]?.busyStatus ?? lock.restStatus)
  } else if (others.length === 0) await setNext(tx, lock.resourceType, lock, next)
  else await leaveToOthers(tx, lock.resourceId, next)
  return true
}

function nextStatus(role: ResourceRole | undefined, { outcome, error }: OperationEnd): string | undefined {
  // Refused because somebody has the volume open: it is as it was.
  const isUnchanged = error?.code === 'inUse' && role?.from !== undefined
  return role?.[isUnchanged ? 'cancelled' : outcome]
}

/** A deletion that waited for this operation goes on showing its status; should it be cancelled, this one's result is shown. */
async function leaveToOthers(tx: Tx, resourceId: string, restStatus: string): Promise<void> {
  await tx
    .updateTable('operationResources')
    .set({ restStatus })
    .where('resourceId', '=', resourceId)
    .where('busyStatus', 'is not', null)
    .execute()
}

async function setNext(
  tx: Tx,
  type: StoredResourceType,
  lock: Selectable<OperationResourcesTable>,
  status: string | null,
): Promise<void> {
  if (status === null) return
  const next = type === 'volume' ? await restingStatus(tx, lock.resourceId, status) : status
  await setStatus(tx, type, lock.resourceId, next)
}

function busyHolders(tx: Tx, resourceId: string) {
  return tx
    .selectFrom('operationResources')
    .select('busyStatus')
    .where('resourceId', '=', resourceId)
    .where('busyStatus', 'is not', null)
    .execute()
}
