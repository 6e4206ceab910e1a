import { isUuid } from '../../domain/identifiers.ts'
import type { Database } from '../open.ts'

/** What a target tells of a backup that is complete. */
export interface FoundBackup {
  readonly id: string
  readonly projectId: string
  readonly userId: string
  readonly target: string
  readonly volumeId: string
  readonly name: string | null
  readonly description: string | null
  readonly metadata: Readonly<Record<string, string>>
  readonly snapshotId: string | null
  readonly parentId: string | null
  readonly sizeBytes: number
  readonly objectCount: number
  readonly storedBytes: number
  readonly createdAt: string
  readonly dataTimestamp: string
  /** Left out: volflow's own. */
  readonly format?: 'rbd'
}

/** Writes the row of a backup. False: there is one of this id already, which stays as it is. */
export async function enterBackup(database: Database, found: FoundBackup): Promise<boolean> {
  if (!isUuid(found.id)) return false
  const { metadata, parentId, ...rest } = found
  const entered = await database
    .insertInto('backups')
    .values({
      ...rest,
      parentId,
      metadata: JSON.stringify(metadata),
      status: 'available',
      isIncremental: parentId === null ? 0 : 1,
      updatedAt: null,
      failReason: null,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirstOrThrow()
  return entered.numInsertedOrUpdatedRows === 1n
}

/** Takes back a row that was entered a moment ago: the backup was being deleted meanwhile. One that somebody uses stays. */
export async function withdrawBackup(database: Database, id: string): Promise<void> {
  await database
    .deleteFrom('backups')
    .where('id', '=', id)
    .where('status', '=', 'available')
    .where('id', 'not in', (eb) => eb.selectFrom('operationResources').select('resourceId'))
    .execute()
}
