/** What activities write down about backups in Cinder's format. */
import type { Database } from './open.ts'

export interface FoundBackup {
  readonly id: string
  readonly volumeId: string
  readonly name: string | null
  readonly description: string | null
  readonly parentId: string | null
  readonly createdAt: string
  readonly sizeBytes: number
  readonly objectCount: number
  readonly storedBytes: number
  readonly container: string
  readonly serviceMetadata: string
}

/** Adds a row for a backup that was found in a target. False: there is one already, or another project has that id. */
export async function recordFound(
  database: Database,
  found: FoundBackup,
  owner: { readonly projectId: string; readonly userId: string; readonly target: string },
): Promise<boolean> {
  const { createdAt, parentId } = found
  const result = await database
    .insertInto('backups')
    .values({
      ...found,
      ...owner,
      ...{ status: 'available', metadata: '{}', updatedAt: null, failReason: null, format: 'cinder' },
      ...{
        snapshotId: null,
        isIncremental: parentId === null ? 0 : 1,
        dataTimestamp: createdAt,
        scheduleId: null,
      },
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirst()
  return (result.numInsertedOrUpdatedRows ?? 0n) > 0n
}

/** A backup got the content of the one that it built on. */
export async function recordMerged(
  database: Database,
  merged: Pick<FoundBackup, 'parentId' | 'objectCount' | 'storedBytes'> & { readonly backupId: string },
): Promise<void> {
  const { backupId, parentId, objectCount, storedBytes } = merged
  await database
    .updateTable('backups')
    .set({ parentId, objectCount, storedBytes, isIncremental: parentId === null ? 0 : 1 })
    .where('id', '=', backupId)
    .execute()
}

/** Those that build on a backup directly. */
export function readChildRows(
  database: Database,
  { backupId, target }: { readonly backupId: string; readonly target: string },
): Promise<{ id: string }[]> {
  return database
    .selectFrom('backups')
    .select('id')
    .where('parentId', '=', backupId)
    .where('target', '=', target)
    .execute()
}

/** Where our own upload goes; the same in each attempt. */
export async function recordLocation(
  database: Database,
  backupId: string,
  place: { readonly container: string; readonly serviceMetadata: string },
): Promise<void> {
  await database.updateTable('backups').set(place).where('id', '=', backupId).execute()
}

export function readBackupRow(database: Database, backupId: string) {
  return database.selectFrom('backups').selectAll().where('id', '=', backupId).executeTakeFirst()
}

/** What Cinder keeps of a volume's row with its backup and gives to a restored volume. Null: the volume is gone. */
export async function readVolumeMeta(database: Database, volumeId: string): Promise<string | null> {
  const volume = await database
    .selectFrom('volumes')
    .selectAll()
    .where('id', '=', volumeId)
    .executeTakeFirst()
  if (volume === undefined) return null
  const { name, description, metadata, volumeImageMetadata } = volume
  return JSON.stringify({
    version: 2,
    'volume-base-metadata': { display_name: name, display_description: description },
    'volume-metadata': JSON.parse(metadata),
    // Cinder makes the restored volume bootable where this is there.
    ...(volumeImageMetadata === null ? {} : { 'volume-glance-metadata': JSON.parse(volumeImageMetadata) }),
  })
}
