import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { BackupRequest } from './commit.ts'
import { journalPrefix } from './names.ts'
import { readRecord, replaceRecord } from './record.ts'
import { removeAll } from './remove-all.ts'
import type { Repository } from './repository.ts'

/**
 * Gives an open backup up, for good: no attempt can commit it afterwards. Its chunks are left to the collector. Repeating it is
 * fine, and so is a backup that was never opened. Committed already: nothing changes, and the answer says so.
 */
export async function abortBackup(
  repository: Repository,
  { domain, backupId }: BackupRequest,
): Promise<'aborted' | 'committed'> {
  for (let attempt = 0; attempt < LIMITS.stateReadsMax; attempt += 1) {
    const stored = await readRecord(repository, domain, backupId)
    if (stored?.value.state === 'committed') return 'committed'
    if (stored?.value.state === 'open') {
      const aborted = { ...stored.value, state: 'aborted' as const, pages: null }
      if ((await replaceRecord(repository, aborted, stored.version)) === undefined) continue
    }
    await removeAll(repository.target, journalPrefix(domain, backupId))
    return 'aborted'
  }
  throw new DriverError('busy', `Expected to abort backup ${backupId}, its writers keep changing it`)
}
