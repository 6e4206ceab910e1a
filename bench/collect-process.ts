/** A collection in a process of its own, so that its memory is known: `node collect-process.ts '{"chunks": …}'` prints one line of JSON. */
import { collect } from '../backup-format/collect.ts'
import { NO_TOTALS, newJournalId } from '../backup-format/journal.ts'
import { createRecord } from '../backup-format/record.ts'
import { createOrOpenRepository, registerDomain, type Repository } from '../backup-format/repository.ts'
import { createKeyring } from '../backup-format/unlock.ts'
import type { CollectJob, CollectMeasured } from './collect.ts'
import { ListingTarget } from './listing-target.ts'

const DOMAIN = 'project'
const UNNEEDED_PER_MILLE = 50
const job: CollectJob = JSON.parse(process.argv[2] ?? '')

const target = new ListingTarget(job.chunks, UNNEEDED_PER_MILLE)
const keyring = createKeyring(async () => [{ kind: 'key-file', key: Buffer.alloc(32, 1) }])
const repository = await createOrOpenRepository(target, keyring)
await registerDomain(repository, DOMAIN)
const pages = target.makePages(await repository.domain(DOMAIN))
for (const [number, names] of pages.entries()) await addBackup(repository, `backup-${number}`, names)

const listingSeconds = await secondsOf(async () => {
  for await (const { key } of target.list(`d/${DOMAIN}/c/`))
    if (key === '') throw new Error('Expected a name')
})
const before = { ...target.requests }
const phases: Record<string, number> = {}
let since = { phase: 'marking', atMs: performance.now() }
const seconds = await secondsOf(async () => {
  const { accounts } = await collect(repository, {
    spillFolder: job.spillFolder,
    onProgress: ({ phase }) => {
      if (phase === since.phase) return
      turn(phase)
    },
  })
  if (accounts.deleted.objects !== job.chunks - target.needed || target.deleted !== accounts.deleted.objects)
    throw new Error(`Expected ${job.chunks - target.needed} deletions, got ${accounts.deleted.objects}`)
})
turn('end')

const measured: CollectMeasured = {
  seconds,
  listingSeconds,
  phases,
  deleted: target.deleted,
  pages: target.pages,
  requests: {
    list: target.requests.list - before.list,
    get: target.requests.get - before.get,
    write: target.requests.write - before.write,
    delete: target.requests.delete - before.delete,
  },
  rssMb: (process.resourceUsage().maxRSS * 1024) / 1e6,
  cpuSeconds: (process.cpuUsage().user + process.cpuUsage().system) / 1e6,
}
process.stdout.write(`${JSON.stringify(measured)}\n`)

function turn(phase: string): void {
  const now = performance.now()
  phases[since.phase] = (phases[since.phase] ?? 0) + (now - since.atMs) / 1000
  since = { phase, atMs: now }
}

async function secondsOf(work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now()
  await work()
  return (performance.now() - startedAtMs) / 1000
}

async function addBackup(into: Repository, backupId: string, names: readonly string[]): Promise<void> {
  const { chunkBytes, pageEntries } = into
  await createRecord(into, {
    version: 1,
    backupId,
    domain: DOMAIN,
    state: 'committed',
    writerToken: 1,
    journal: newJournalId(),
    epoch: 1,
    openedEpoch: 1,
    sizeBytes: names.length * pageEntries * chunkBytes,
    chunkBytes,
    parentBackupId: null,
    volume: {},
    createdAt: new Date().toISOString(),
    committedAt: new Date().toISOString(),
    pages: names,
    totals: NO_TOTALS,
  })
}
