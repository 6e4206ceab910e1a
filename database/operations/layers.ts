/**
 * Volumes some snapshot of which has gone: where snapshots are layers, two of them may be one now. That is looked at when nobody has
 * used the volume for a while, and given up as soon as somebody wants it.
 */
import { LIMITS } from '../../domain/limits.ts'
import type { OperationEnd, OperationKind, OperationSpecs } from '../../domain/operations.ts'
import type { Database } from '../open.ts'
import type { Tx } from '../resources.ts'

/** The volume's layers are to be looked at some time after now. */
export async function noteMergeable(tx: Tx, volumeId: string, dueAtMs: number): Promise<void> {
  await tx
    .insertInto('mergeableVolumes')
    .values({ volumeId, dueAtMs })
    .onConflict((conflict) => conflict.column('volumeId').doUpdateSet({ dueAtMs }))
    .execute()
}

/** Of volumes in this backend, and of those that are gone. The oldest first. */
export async function dueVolumes(database: Database, backend: string, nowMs: number): Promise<string[]> {
  const rows = await database
    .selectFrom('mergeableVolumes')
    .leftJoin('volumes', 'volumes.id', 'mergeableVolumes.volumeId')
    .select('mergeableVolumes.volumeId')
    .where('dueAtMs', '<=', nowMs)
    .where((eb) => eb.or([eb('volumes.backend', '=', backend), eb('volumes.id', 'is', null)]))
    .orderBy('dueAtMs')
    .limit(LIMITS.dispatchBatch)
    .execute()
  return rows.map(({ volumeId }) => volumeId)
}

export async function forgetMergeable(database: Database | Tx, volumeIds: readonly string[]): Promise<void> {
  if (volumeIds.length === 0) return
  await database.deleteFrom('mergeableVolumes').where('volumeId', 'in', volumeIds).execute()
}

/**
 * At the end of an operation: a snapshot is gone, or what could not be merged is tried again, soon if somebody was in the way, later
 * if that may take long.
 */
export async function noteLayers(
  tx: Tx,
  { kind, spec }: { kind: OperationKind; spec: string },
  { outcome, result }: OperationEnd,
): Promise<void> {
  const succeeded = outcome === 'succeeded' && result?.path !== 'open'
  if (kind !== 'merge-layers' && !(kind === 'delete-snapshot' && succeeded)) return
  if (kind === 'merge-layers' && succeeded) return
  const { volumeId } = JSON.parse(spec) as OperationSpecs['merge-layers' | 'delete-snapshot']
  const isSoon = kind === 'delete-snapshot' || outcome === 'cancelled'
  await noteMergeable(tx, volumeId, Date.now() + (isSoon ? LIMITS.mergeIdleMs : LIMITS.mergeRetryMs))
}
