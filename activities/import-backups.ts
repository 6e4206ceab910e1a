import { keepFailing } from '../backup-format/keep-failing.ts'
import pMap from 'p-map'
import { type BackupRecord, readCommitted, readRecord } from '../backup-format/record.ts'
import { listDomains, type Repository } from '../backup-format/repository.ts'
import { recordsPrefix } from '../backup-format/names.ts'
import { enterBackup } from '../database/operations/enter-backup.ts'
import type { Database } from '../database/open.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { OperationResult } from '../domain/progress.ts'
import type { RunningAttempt } from './attempt.ts'
import { foundBackup } from './found-backup.ts'
import { keepIfThere } from './keep-if-there.ts'

interface Import {
  readonly target: string
  readonly attempt: RunningAttempt
}

/** Enters each committed backup that the database does not know; one whose record cannot be read is counted and left. */
export async function importBackups(
  database: Database,
  repository: Repository,
  { target, attempt }: Import,
): Promise<OperationResult> {
  const counts = { imported: 0, known: 0, unreadable: 0 }
  for (const domain of await listDomains(repository)) {
    const prefix = recordsPrefix(domain)
    const enter = async ({ key }: { key: string }) => {
      const record = await readable(repository, domain, key.slice(prefix.length))
      if (record !== undefined && record.state !== 'committed') return
      const found = record === undefined ? undefined : foundBackup(record, target)
      if (found === undefined) counts.unreadable += 1
      else if (!(await enterBackup(database, found))) counts.known += 1
      else {
        const isThere = () => readCommitted(repository, domain, found.id)
        if (await keepIfThere(database, found.id, isThere)) counts.imported += 1
      }
      const seen = counts.imported + counts.known + counts.unreadable
      attempt.progress({ phase: 'importing', doneBytes: 0, totalBytes: 0, movedBytes: seen })
    }
    const { signal } = attempt
    await pMap(keepFailing(repository.target.list(prefix)), enter, {
      concurrency: LIMITS.targetRequests,
      signal,
    })
  }
  return counts
}

async function readable(
  repository: Repository,
  domain: string,
  backupId: string,
): Promise<BackupRecord | undefined> {
  try {
    return (await readRecord(repository, domain, backupId))?.value
  } catch (error) {
    if (error instanceof DriverError && ['corrupt', 'unsupported', 'invalid'].includes(error.kind))
      return undefined
    throw error
  }
}
