import type { Database } from '../database/open.ts'
import { withdrawBackup } from '../database/operations/enter-backup.ts'
import { DriverError } from '../domain/errors.ts'

/**
 * A backup that was seen may have been deleted, with its row, before a row for it was entered: it is looked at once more, and the row goes
 * when it is no longer there, or when nobody can tell. False: it went.
 */
export async function keepIfThere(
  database: Database,
  backupId: string,
  look: () => Promise<unknown>,
): Promise<boolean> {
  try {
    await look()
    return true
  } catch (error) {
    await withdrawBackup(database, backupId)
    if (error instanceof DriverError && ['notFound', 'corrupt'].includes(error.kind)) return false
    throw error
  }
}
