/**
 * Deletes what no backup refers to, in two phases, without locks or clocks, beside any number of writers.
 *
 * First everything unreferenced is condemned: the lists are published in one compare-and-swap that also begins a new epoch. From then
 * on new writers treat these objects as absent and upload what they need under keys of the new epoch. Then, once no upload of an
 * older epoch is open, the records are read again, and what is condemned and still unreferenced is deleted. Every step may be
 * repeated by another collector after a crash, or beside it. What is too much for one round makes another.
 */
import { randomBytes } from 'node:crypto'
import { abortBackup } from './abort.ts'
import { addAccounts, type CollectAccounts, NO_ACCOUNTS } from './accounts.ts'
import { removeLists, removeRemains } from './collect-remains.ts'
import type { BackupRequest } from './commit.ts'
import type { CollectRequest } from './collect-request.ts'
import { condemn, exceedsBudget } from './condemn.ts'
import { deleteCondemned } from './delete-condemned.ts'
import { eachRecord } from './record.ts'
import { listDomains, type Repository } from './repository.ts'
import { readState, replaceState, type RepositoryState, type Versioned } from './state.ts'
import { type Survey, survey } from './survey.ts'

export interface CollectResult {
  /** `waiting`: uploads of an older epoch are open; call again later, under the same name. */
  readonly outcome: 'done' | 'waiting'
  readonly waitingFor: readonly BackupRequest[]
  readonly accounts: CollectAccounts
}

/**
 * Finishes the collection under way and makes a new one, as far as it gets. Overtaken by another collector: DriverError `busy`. More
 * to delete than the budget allows: `invalid`. A committed backup that cannot be read completely: `corrupt`. With these, nothing is
 * deleted.
 */
export async function collect(repository: Repository, request: CollectRequest = {}): Promise<CollectResult> {
  const job = request.job ?? randomBytes(8).toString('hex')
  for (;;) {
    const found = await readState(repository)
    const accounts = found.value.job?.name === job ? found.value.job.accounts : NO_ACCOUNTS
    if (isOver(found.value, job)) {
      await removeLists(repository, found.value.epoch)
      return { outcome: 'done', waitingFor: [], accounts }
    }
    const round =
      found.value.phase === 'condemned'
        ? found
        : await condemn(repository, found, { ...request, job }, accounts)
    const waitingFor = await openBefore(repository, round.value, request)
    if (waitingFor.length > 0) {
      request.onProgress?.({ phase: 'waiting', doneBytes: waitingFor.length, totalBytes: 0 })
      return { outcome: 'waiting', waitingFor, accounts }
    }
    await finish(repository, round, request, { job, accounts })
  }
}

/** What a collection would delete now: exactly, as long as no upload is open. Nothing is written. */
export async function planCollection(
  repository: Repository,
  request: CollectRequest = {},
): Promise<Survey & { readonly exceedsBudget: boolean }> {
  const planned = await survey(repository, request, request.abortable, async () => {})
  return { ...planned, exceedsBudget: exceedsBudget(planned) }
}

/** The last round was this job's own, and left nothing for another. */
function isOver({ phase, job }: RepositoryState, name: string): boolean {
  return phase === 'idle' && job?.name === name && !job.hasMore
}

/** Uploads that do not know the lists. Those that may be aborted are. */
async function openBefore(
  repository: Repository,
  { epoch, lists }: RepositoryState,
  { abortable, signal }: CollectRequest,
): Promise<BackupRequest[]> {
  const waitingFor: BackupRequest[] = []
  for (const domain of new Set(lists.map((list) => list.domain))) {
    await eachRecord(
      repository,
      domain,
      async ({ value }) => {
        if (value.state !== 'open' || value.epoch >= epoch) return
        const backup = { domain, backupId: value.backupId }
        if ((await abortable?.(backup)) === true) await abortBackup(repository, backup)
        else waitingFor.push(backup)
      },
      signal,
    )
  }
  return waitingFor
}

async function finish(
  repository: Repository,
  round: Versioned<RepositoryState>,
  request: CollectRequest,
  { job, accounts }: { job: string; accounts: CollectAccounts },
): Promise<void> {
  const { value, version } = round
  const done = await deleteCondemned(repository, round, request)
  for (const domain of await listDomains(repository))
    await removeRemains(repository, domain, value.epoch, request.signal)
  // Another job's round is not what this one looked for: it makes its own. And what is locked will be so in the next round, too.
  const isOwn = value.job?.name === job
  const hasMore = !isOwn || (value.job.hasMore && done.deleted.objects > 0)
  const finished = { name: job, accounts: addAccounts(accounts, done), hasMore }
  // Another collector may have been here first; it has then deleted the same objects.
  await replaceState(repository, { ...value, phase: 'idle', run: null, lists: [], job: finished }, version)
}
