import { DriverError } from '../domain/errors.ts'
import type { BackupRequest } from './commit.ts'
import { journalPrefix, recordKey } from './names.ts'
import { readRecord, replaceRecord } from './record.ts'
import { removeAll } from './remove-all.ts'
import type { Repository } from './repository.ts'

/**
 * Deletes a backup, or what an aborted one left: at once for every reader; the space follows with the next collection. No other
 * backup needs it. Missing: fine. Still open: `busy`, abort it first.
 */
export async function deleteBackup(
  repository: Repository,
  { domain, backupId }: BackupRequest,
): Promise<void> {
  const stored = await readRecord(repository, domain, backupId)
  if (stored === undefined) return
  if (stored.value.state === 'open')
    throw new DriverError('busy', `Expected a finished backup ${backupId}, it is open`)
  if (stored.value.state === 'committed') {
    const deleting = { ...stored.value, state: 'deleting' as const }
    if ((await replaceRecord(repository, deleting, stored.version)) === undefined) {
      throw new DriverError('busy', `Expected to delete backup ${backupId}, somebody else is at it`)
    }
  }
  await removeRecord(repository, { domain, backupId })
}

/** The journal goes first: as long as there is a record, it can be found again. */
export async function removeRecord(
  repository: Repository,
  { domain, backupId }: BackupRequest,
): Promise<void> {
  await removeAll(repository.target, journalPrefix(domain, backupId))
  await repository.target.delete(recordKey(domain, backupId))
}
