/** From the records in a target to the rows, and what its writers left. */
import { deleteBackup } from '../../../backup-format/delete.ts'
import type { Repository } from '../../../backup-format/repository.ts'
import type { BackupTarget } from '../../../backup-format/target.ts'
import { idsInWork, resourcesById } from '../../../database/audit.ts'
import { backupDomain } from '../../../domain/backup-domain.ts'
import { inBatches } from '../batches.ts'
import type { FsckContext, TargetPlace } from '../context.ts'
import type { Check, Finding } from '../finding.ts'
import { everyRecord, type FoundRecord } from '../records.ts'

export function targetChecks(context: FsckContext): Check[] {
  return context.targets.flatMap((place) => {
    const { repository } = place
    const leftovers = {
      name: `target ${place.name}`,
      find: () => findLeftovers(place.name, place.target.leftovers),
    }
    if (repository === undefined) return [leftovers]
    return [leftovers, { name: `target ${place.name}`, find: () => findRecords(context, place, repository) }]
  })
}

async function* findRecords(
  context: FsckContext,
  place: TargetPlace,
  repository: Repository,
): AsyncGenerator<Finding> {
  let seen = 0
  for await (const records of inBatches(everyRecord(repository))) {
    const ids = records.map(({ backupId }) => backupId)
    const rows = await resourcesById(context.database, 'backup', ids)
    const inWork = await idsInWork(context.database, ids)
    for (const found of records) {
      const row = rows.get(found.backupId)
      const isKnown =
        row !== undefined && row.target === place.name && backupDomain(row.projectId) === found.domain
      if (inWork.has(found.backupId) || !context.isSettled(changedAt(found))) continue
      if (!isKnown) yield* orphan(context, place, repository, found)
      else if (found.record?.state === 'open' && row.status !== 'available') yield open(place, found)
    }
    seen += records.length
    context.progress(`target ${place.name}`, seen)
  }
}

function* orphan(
  context: FsckContext,
  place: TargetPlace,
  repository: Repository,
  found: FoundRecord,
): Generator<Finding> {
  const { domain, backupId, record } = found
  const state = record?.state
  // What was aborted or is being deleted goes with the next collection.
  if (state === 'aborted' || state === 'deleting') return
  if (state === 'open') {
    yield open(place, found)
    return
  }
  const finding = {
    code: 'record-orphaned',
    where: `target ${place.name}`,
    what: `backup ${backupId}`,
    explanation:
      found.problem ?? `It is committed (project ${domain}), and the database knows nothing of it.`,
    next: 'Kept. --delete-orphans deletes the record when it has been so for a day; what only it needed goes with the next collection.',
  } as const
  const canGo = record !== undefined && context.isOldOrphan(Date.parse(changedAt(found) ?? ''))
  if (!canGo) yield finding
  else
    yield {
      ...finding,
      mend: { needs: 'delete-orphans', run: () => deleteBackup(repository, { domain, backupId }) },
    }
}

function open(place: TargetPlace, { backupId }: FoundRecord): Finding {
  return {
    code: 'record-open',
    where: `target ${place.name}`,
    what: `backup ${backupId}`,
    explanation: 'Its upload was begun, and no operation goes on with it. Nobody sees it; it takes room.',
    next: `Kept. A collection aborts it: volflow target collect ${place.name}`,
  }
}

function changedAt({ record }: FoundRecord): string | null {
  return record?.committedAt ?? record?.createdAt ?? null
}

export async function* findLeftovers(
  name: string,
  leftovers: BackupTarget['leftovers'],
): AsyncGenerator<Finding> {
  for (const file of (await leftovers?.list()) ?? []) {
    yield {
      code: 'leftover-temporary',
      where: `target ${name}`,
      what: file,
      explanation: 'A file that was being written when its process died. It is no object.',
      next: 'It is removed.',
      mend: { needs: 'repair', run: async () => leftovers?.remove() },
    }
  }
}
