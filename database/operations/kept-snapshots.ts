/**
 * The snapshot from which the newest backup of a volume in a target was read stays, unseen, until the next one: a list of what changed
 * since is what makes that one fast. It belongs to its backup, holds nothing up, and goes as an artifact of whatever makes it
 * useless. Without it a backup reads everything.
 */
import type { ExpressionBuilder, Selectable } from 'kysely'
import type { OperationKind, OperationSpecs } from '../../domain/operations.ts'
import type { Tx } from '../resources.ts'
import type { KeptSnapshotsTable, Schema } from '../schema.ts'

/** The snapshot that holds what the backup holds, if it still exists where the volume is. */
export async function snapshotOfBackup(
  tx: Tx,
  backupId: string,
  volume: { id: string; backend: string },
): Promise<string | null> {
  const kept = await tx
    .selectFrom('keptSnapshots')
    .select('snapshotId')
    .where('backupId', '=', backupId)
    .where('backend', '=', volume.backend)
    .executeTakeFirst()
  if (kept !== undefined) return kept.snapshotId
  const own = await tx
    .selectFrom('backups')
    .innerJoin('snapshots', 'snapshots.id', 'backups.snapshotId')
    .select('snapshots.id')
    .where('backups.id', '=', backupId)
    .where('snapshots.volumeId', '=', volume.id)
    .where('snapshots.backend', '=', volume.backend)
    .executeTakeFirst()
  return own?.id ?? null
}

/** At the end of a backup that succeeded: what was its artifact until now is kept. */
export async function keepSnapshot(tx: Tx, spec: OperationSpecs['create-backup']): Promise<void> {
  const { backupId, volumeId, target, backend, snapshotId } = spec
  if (spec.keepSnapshot !== true) return
  await tx.insertInto('keptSnapshots').values({ backupId, volumeId, target, backend, snapshotId }).execute()
}

/** Past its commit point the operation makes these useless: from now on they are its own to release. */
export async function retireSnapshots(
  tx: Tx,
  operation: { id: string; kind: OperationKind; spec: string },
): Promise<void> {
  const which = retiredBy(operation.kind, JSON.parse(operation.spec))
  if (which === undefined) return
  const retired = await tx.deleteFrom('keptSnapshots').where(which).returningAll().execute()
  if (retired.length === 0) return
  const { last } = await tx
    .selectFrom('artifacts')
    .select((eb) => eb.fn.max('sequence').as('last'))
    .where('operationId', '=', operation.id)
    .executeTakeFirstOrThrow()
  const rows = retired.map((kept, index) => ({
    ...artifactOf(kept),
    operationId: operation.id,
    sequence: Number(last ?? -1) + 1 + index,
  }))
  await tx.insertInto('artifacts').values(rows).execute()
}

function retiredBy(kind: OperationKind, spec: Partial<OperationSpecs['create-backup']>) {
  const { volumeId = '', backupId = '', target = '' } = spec
  type Where = ExpressionBuilder<Schema, 'keptSnapshots'>
  if (kind === 'delete-volume' || kind === 'unmanage-volume' || kind === 'migrate-volume') {
    return (eb: Where) => eb('volumeId', '=', volumeId)
  }
  if (kind === 'delete-backup') return (eb: Where) => eb('backupId', '=', backupId)
  // A backup of a user's snapshot says nothing about the volume as it is now.
  if (kind !== 'create-backup' || spec.temporarySnapshot !== true) return undefined
  return (eb: Where) => eb.and([eb('volumeId', '=', volumeId), eb('target', '=', target)])
}

function artifactOf({ backend, snapshotId, volumeId }: Selectable<KeptSnapshotsTable>) {
  const place = { kind: 'snapshot', placeType: 'backend', place: backend } as const
  return { ...place, id: snapshotId, parentId: volumeId, purpose: 'temporary' as const }
}
