import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { pageRef, readPage } from './blob.ts'
import { entriesOf } from './entry.ts'
import { readJournal } from './journal.ts'
import { KeySet } from './key-set.ts'
import { listRecords, readRecord, type StoredRecord } from './record.ts'
import type { Repository } from './repository.ts'

/**
 * Everything that the domain's committed records refer to; and, so that little of it is condemned in vain, what the journals of open
 * ones say.
 */
export async function markReachable(
  repository: Repository,
  domain: string,
  signal: AbortSignal | undefined,
): Promise<KeySet> {
  const reachable = new KeySet()
  for (const stored of await listRecords(repository, domain)) {
    signal?.throwIfAborted()
    try {
      await markRecord(repository, stored, reachable)
    } catch (error) {
      // A record that was deleted or aborted while we read it protects nothing any more. One that stands must be read completely.
      const now = await readRecord(repository, domain, stored.value.backupId)
      if (!(error instanceof DriverError) || now?.version === stored.version) throw error
      if (now?.value.state === 'committed') throw error
    }
  }
  return reachable
}

async function markRecord(repository: Repository, stored: StoredRecord, reachable: KeySet): Promise<void> {
  const record = stored.value
  if (record.state === 'committed') await markPages(repository, record.domain, record.pages ?? [], reachable)
  if (record.state !== 'open') return
  const { pages, chunks } = await readJournal(repository, record)
  for (const entry of chunks.values()) if (entry !== undefined) reachable.add(entry)
  await markPages(repository, record.domain, [...pages.values()], reachable)
}

/** Each page is read once, however many records share it. */
async function markPages(
  repository: Repository,
  domainName: string,
  names: readonly (string | null)[],
  reachable: KeySet,
): Promise<void> {
  const domain = await repository.domain(domainName)
  const mark = async (name: string) => {
    const ref = pageRef(domain, name)
    if (reachable.has(ref)) return
    const page = await readPage(repository, domain, name)
    for (const entry of entriesOf(page)) if (entry !== undefined) reachable.add(entry)
    reachable.add(ref)
  }
  const named = names.filter((name) => name !== null)
  await pMap(named, mark, { concurrency: LIMITS.targetRequests })
}
