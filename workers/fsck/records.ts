import { pMapIterable } from 'p-map'
import { recordsPrefix } from '../../backup-format/names.ts'
import { type BackupRecord, readRecord } from '../../backup-format/record.ts'
import { listDomains, type Repository } from '../../backup-format/repository.ts'
import { backupDomain } from '../../domain/backup-domain.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'

export interface FoundRecord {
  readonly domain: string
  readonly backupId: string
  /** Undefined: it cannot be read, `problem` says why. */
  readonly record?: BackupRecord
  readonly problem?: string
}

/** What the target says about the backup of a row; undefined: nothing. */
export async function findRecord(
  repository: Repository,
  { id, projectId }: { id: string; projectId: string },
): Promise<{ sizeBytes?: number; problem?: string } | undefined> {
  const found = await tryToRead(repository, backupDomain(projectId), id)
  if (found?.problem !== undefined) return { problem: found.problem }
  if (found?.record === undefined) return undefined
  const { state, sizeBytes } = found.record
  return state === 'committed' ? { sizeBytes } : { problem: `Expected a committed record, it is ${state}` }
}

/** All records of all projects, in any state. */
export async function* everyRecord(repository: Repository): AsyncGenerator<FoundRecord> {
  for (const domain of await listDomains(repository)) {
    const prefix = recordsPrefix(domain)
    const read = ({ key }: { key: string }) => tryToRead(repository, domain, key.slice(prefix.length))
    const options = { concurrency: LIMITS.targetRequests }
    for await (const found of pMapIterable(repository.target.list(prefix), read, options)) {
      if (found !== undefined) yield found
    }
  }
}

/** A record of another key or with a flipped bit is a finding, not the end of the scan. */
async function tryToRead(
  repository: Repository,
  domain: string,
  backupId: string,
): Promise<FoundRecord | undefined> {
  try {
    const stored = await readRecord(repository, domain, backupId)
    return stored === undefined ? undefined : { domain, backupId, record: stored.value }
  } catch (error) {
    if (!(error instanceof DriverError) || (error.kind !== 'corrupt' && error.kind !== 'invalid')) throw error
    return { domain, backupId, problem: error.message }
  }
}
