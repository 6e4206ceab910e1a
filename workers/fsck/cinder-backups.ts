import { readObjectNames } from '../../backup-format/cinder/object-names.ts'
import { openCinderBackup } from '../../backup-format/cinder/open-backup.ts'
import type { CinderStore } from '../../backup-format/cinder/store.ts'
import { locationOf } from '../../database/requests/cinder-backups.ts'
import type { BackupRow } from '../../database/read.ts'
import { DriverError } from '../../domain/errors.ts'

/** What the store says about the backup of a row, by names and metadata alone; undefined: nothing. */
export async function findCinderBackup(
  store: CinderStore,
  row: BackupRow,
): Promise<{ sizeBytes?: number; problem?: string; missing?: readonly string[] } | undefined> {
  const location = locationOf(store.kind, row)
  if (location === undefined) return undefined
  try {
    const { sizeBytes, chain } = await openCinderBackup(store, location)
    const { missing } = await readObjectNames(store, chain.slice(-1))
    return { sizeBytes, missing: [...missing] }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    if (error.kind === 'notFound') return undefined
    if (error.kind === 'corrupt') return { problem: error.message }
    throw error
  }
}
