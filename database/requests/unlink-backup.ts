import type { Selectable } from 'kysely'
import type { Priority } from '../../domain/operations.ts'
import { acceptOperation, type Actor } from '../operations/accept.ts'
import type { Tx } from '../resources.ts'
import type { BackupsTable } from '../schema.ts'

type BackupRow = Selectable<BackupsTable>

/** Accepts the deletion of a backup in Cinder's format. All that build on it are held too: they get its content first. */
export async function acceptUnlinking(
  tx: Tx,
  actor: Actor,
  backup: BackupRow,
  priority: Priority,
): Promise<string> {
  const { id, target, projectId, parentId } = backup
  return acceptOperation(tx, {
    actor,
    kind: 'unlink-backup',
    spec: { backupId: id, target, projectId, parentBackupId: parentId },
    resources: { backup: id, dependent: await dependents(tx, backup) },
    primary: 'backup',
    priority,
  })
}

async function dependents(tx: Tx, backup: BackupRow): Promise<string[]> {
  const links = await sameVolume(tx, backup)
  const found: string[] = []
  for (let parents = [backup.id]; parents.length > 0;) {
    parents = links
      .filter(({ id, parentId }) => parentId !== null && parents.includes(parentId) && !found.includes(id))
      .map(({ id }) => id)
    found.push(...parents)
  }
  return found
}

/** The links of all chains of a volume in a target. */
export function sameVolume(tx: Tx, { volumeId, target }: BackupRow) {
  return tx
    .selectFrom('backups')
    .select(['id', 'parentId'])
    .where('volumeId', '=', volumeId)
    .where('target', '=', target)
    .execute()
}
