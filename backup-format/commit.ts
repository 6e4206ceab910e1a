import { DriverError } from '../domain/errors.ts'
import { journalPrefix } from './names.ts'
import { checkPresence } from './presence.ts'
import { type BackupRecord, readRecord, replaceRecord } from './record.ts'
import { removeAll } from './remove-all.ts'
import type { Repository } from './repository.ts'

export interface BackupRequest {
  readonly domain: string
  readonly backupId: string
}

/**
 * Makes an uploaded backup exist: checks that the target really has what this upload wrote, then changes the record by one
 * compare-and-swap. Committed already: fine. An upload that is not finished: `invalid`; a missing object: `corrupt`.
 */
export async function commitBackup(
  repository: Repository,
  { domain, backupId, signal }: BackupRequest & { readonly signal?: AbortSignal },
): Promise<BackupRecord> {
  const stored = await readRecord(repository, domain, backupId)
  const record = stored?.value
  if (stored === undefined || record === undefined) {
    throw new DriverError('notFound', `Expected an uploaded backup ${backupId}, there is none`)
  }
  if (record.state === 'committed') return record
  if (record.state !== 'open' || record.pages === null) {
    const found = record.state === 'open' ? 'its upload is not finished' : `it is ${record.state}`
    throw new DriverError('invalid', `Expected backup ${backupId} to be ready for its commit, ${found}`)
  }
  await checkPresence(repository, record, record.pages, signal)
  signal?.throwIfAborted()
  const committed = { ...record, state: 'committed' as const, committedAt: new Date().toISOString() }
  if ((await replaceRecord(repository, committed, stored.version)) === undefined) {
    return afterConflict(repository, { domain, backupId })
  }
  await removeAll(repository.target, journalPrefix(domain, backupId))
  return committed
}

/** Another attempt of the same commit may have been faster. */
async function afterConflict(
  repository: Repository,
  { domain, backupId }: BackupRequest,
): Promise<BackupRecord> {
  const record = (await readRecord(repository, domain, backupId))?.value
  if (record?.state === 'committed') return record
  throw new DriverError(
    'busy',
    `Expected to commit backup ${backupId}, it was changed meanwhile and is ${record?.state ?? 'gone'}`,
  )
}
