import type { Json } from '../backup-format/record.ts'
import type { Database } from '../database/open.ts'
import type { OperationSpecs } from '../domain/operations.ts'

/** What a backup's record says about its volume and itself: from it the database's rows can be made again. */
export async function describeVolume(
  database: Database,
  { volumeId, backupId }: Pick<OperationSpecs['create-backup'], 'volumeId' | 'backupId'>,
): Promise<{ readonly [key: string]: Json }> {
  const volume = await database
    .selectFrom('volumes')
    .select(['name', 'volumeType', 'bootable', 'volumeImageMetadata'])
    .where('id', '=', volumeId)
    .executeTakeFirst()
  const backup = await database
    .selectFrom('backups')
    .select(['name', 'description', 'metadata', 'userId', 'snapshotId', 'dataTimestamp'])
    .where('id', '=', backupId)
    .executeTakeFirst()
  return { id: volumeId, ...volume, ...(backup === undefined ? {} : { backup: { ...backup } }) }
}
