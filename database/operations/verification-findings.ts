import type { OperationSpecs } from '../../domain/operations.ts'
import type { OperationResult } from '../../domain/progress.ts'
import { damageReason } from '../../domain/verification.ts'
import type { Tx } from '../resources.ts'

/**
 * A damaged backup is in error, and available again when all that was damaged has been found good. A look at some of it, or at names alone,
 * cannot tell that.
 */
export async function writeFindings(
  tx: Tx,
  { backupId, level, samplePercent }: OperationSpecs['verify-backup'],
  result: OperationResult,
): Promise<void> {
  const { damagedObjects: before } = await tx
    .selectFrom('backups')
    .select('damagedObjects')
    .where('id', '=', backupId)
    .executeTakeFirstOrThrow()
  const found = Number(result.damagedObjects)
  const isWhole = level === 'quarantined' || (level !== 'presence' && samplePercent === 100)
  const damagedObjects = isWhole ? found : Math.max(found, before ?? 0)
  const isDamaged = damagedObjects > 0
  const damage = typeof result.damage === 'string' ? result.damage : undefined
  await tx
    .updateTable('backups')
    .set({
      damagedObjects,
      verifiedAt: new Date().toISOString(),
      failReason: isDamaged ? damageReason(damagedObjects, damage) : null,
      ...(level === 'quarantined' ? {} : { verifyLevel: level }),
    })
    .where('id', '=', backupId)
    .execute()
  const status = isDamaged ? 'error' : 'available'
  await tx
    .updateTable('backups')
    .set({ status })
    .where('id', '=', backupId)
    .where('status', 'in', ['available', 'error'])
    .execute()
  // Whoever restores it now leaves this behind.
  await tx
    .updateTable('operationResources')
    .set({ restStatus: status })
    .where('resourceId', '=', backupId)
    .where('busyStatus', 'is not', null)
    .execute()
}
