import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { pageRef, readPage } from './blob.ts'
import { entriesOf } from './entry.ts'
import { blobKey, type BlobRef, blobsPrefix, journalPrefix } from './names.ts'
import { type BackupRecord, readRecord, replaceRecord } from './record.ts'
import { removeAll } from './remove-all.ts'
import type { Domain, Repository } from './repository.ts'

/** Up to so many objects under one prefix are asked for one by one; for more, the prefix is listed. */
const SINGLE_LISTS_MAX = 4

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

/** What was there before this upload began is protected by the records that refer to it; what came since is looked for. */
async function checkPresence(
  repository: Repository,
  record: BackupRecord,
  names: readonly (string | null)[],
  signal?: AbortSignal,
): Promise<void> {
  const domain = await repository.domain(record.domain)
  const wanted = new Map<string, Set<string>>()
  const want = (kind: 'chunk' | 'page', ref: BlobRef) => {
    if (ref.epoch < record.openedEpoch) return
    const prefix = `${blobsPrefix(kind, domain.name)}${ref.id.slice(0, 2)}/`
    const keys = wanted.get(prefix) ?? new Set()
    wanted.set(prefix, keys.add(blobKey(kind, domain.name, ref)))
  }
  const collect = async (name: string | null) => {
    if (name === null) return
    want('page', pageRef(domain, name))
    for (const entry of entriesOf(await readPage(repository, domain, name, signal))) {
      if (entry !== undefined) want('chunk', entry)
    }
  }
  await pMap(names, collect, { concurrency: LIMITS.targetRequests, ...(signal && { signal }) })
  const look = ([prefix, keys]: [string, Set<string>]) => findAll(repository, domain, prefix, keys)
  await pMap(wanted, look, { concurrency: LIMITS.targetRequests, ...(signal && { signal }) })
}

async function findAll(
  repository: Repository,
  domain: Domain,
  prefix: string,
  keys: Set<string>,
): Promise<void> {
  for (const listed of keys.size > SINGLE_LISTS_MAX ? [prefix] : [...keys]) {
    for await (const { key } of repository.target.list(listed)) keys.delete(key)
  }
  const [missing] = keys
  if (missing === undefined) return
  throw new DriverError(
    'corrupt',
    `Expected the target to hold everything that was uploaded to ${domain.name}, ${keys.size} objects are missing, among them ${missing}`,
  )
}
