import type { Selectable } from 'kysely'
import type { Artifact } from '../../domain/artifacts.ts'
import { RequestError } from '../../domain/errors.ts'
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
  await refuseWhileUndone(tx, backup)
  return acceptOperation(tx, {
    actor,
    kind: 'unlink-backup',
    spec: { backupId: id, target, projectId, parentBackupId: parentId },
    resources: { backup: id, dependent: await dependents(tx, backup) },
    primary: 'backup',
    artifacts: [mergeArtifact(target, id)],
    priority,
  })
}

/** The janitor removes what an earlier attempt has copied: it must not meet what this one copies. */
async function refuseWhileUndone(tx: Tx, { id, target }: BackupRow): Promise<void> {
  const left = await tx
    .selectFrom('artifacts')
    .select('operationId')
    .where('kind', '=', 'merge')
    .where('place', '=', target)
    .where('id', '=', id)
    .executeTakeFirst()
  if (left === undefined) return
  throw new RequestError(
    409,
    'remainsInTarget',
    `Expected nothing to be left of an earlier deletion of backup ${id}, but what operation ${left.operationId} had copied is still to be removed from target ${target}. Try again in a few minutes.`,
    left.operationId,
  )
}

function mergeArtifact(target: string, id: string): Artifact {
  return { kind: 'merge', placeType: 'target', place: target, id, parentId: null, purpose: 'temporary' }
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
