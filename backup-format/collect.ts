/**
 * Deletes what no backup refers to, in two phases, without locks or clocks, beside any number of writers.
 *
 * First everything unreferenced is condemned: the lists are published in one compare-and-swap that also begins a new epoch. From then
 * on new writers treat these objects as absent and upload what they need under keys of the new epoch. Then, once no upload of an
 * older epoch is open, the records are read again, and what is condemned and still unreferenced is deleted. Every step may be
 * repeated by another collector after a crash, or beside it.
 */
import { randomBytes } from 'node:crypto'
import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { abortBackup } from './abort.ts'
import type { BackupRequest } from './commit.ts'
import { type CondemnedBlob, encodeCondemned, readCondemnedList } from './condemned.ts'
import { removeRecord } from './delete.ts'
import { markReachable } from './mark.ts'
import {
  type BlobKind,
  blobKey,
  blobsPrefix,
  COLLECTION_PREFIX,
  condemnedListKey,
  journalPrefix,
  journalsPrefix,
  parseBlobName,
} from './names.ts'
import { listRecords, readRecord } from './record.ts'
import { removeAll } from './remove-all.ts'
import { listDomains, type Repository } from './repository.ts'
import {
  type CondemnedListRef,
  readState,
  replaceState,
  type RepositoryState,
  type Versioned,
} from './state.ts'

export interface CollectRequest {
  /** Asked about each open backup that holds the collection up: may it be aborted, because nobody works on it any more? */
  readonly abortable?: (backup: BackupRequest) => boolean | Promise<boolean>
  readonly signal?: AbortSignal
}

export interface CollectResult {
  /** `waiting`: uploads of an older epoch are open; call again later. */
  readonly outcome: 'done' | 'waiting'
  readonly waitingFor: readonly BackupRequest[]
  readonly deletedObjects: number
}

/**
 * Finishes the collection under way, or makes a new one as far as it gets. Overtaken by another collector: DriverError `busy`. A
 * committed backup that cannot be read completely: `corrupt`, and nothing is deleted.
 */
export async function collect(repository: Repository, request: CollectRequest = {}): Promise<CollectResult> {
  const found = await readState(repository)
  const stored = found.value.phase === 'condemned' ? found : await condemn(repository, found, request.signal)
  const { epoch, lists } = stored.value
  const domains = [...new Set(lists.map(({ domain }) => domain))]
  const waitingFor = await openBefore(repository, epoch, domains, request)
  if (waitingFor.length > 0) return { outcome: 'waiting', waitingFor, deletedObjects: 0 }
  let deletedObjects = 0
  for (const domain of domains) {
    const reachable = await markReachable(repository, domain, request.signal)
    for (const { key } of lists.filter((list) => list.domain === domain)) {
      const condemned = (await readCondemnedList(repository, key)) ?? []
      const gone = condemned.filter((blob) => !reachable.has(blob))
      await removeBlobs(repository, domain, gone, request.signal)
      deletedObjects += gone.length
    }
  }
  for (const domain of await listDomains(repository)) await removeRemains(repository, domain, epoch)
  // Another collector may have been here first; it has then deleted the same objects.
  await replaceState(repository, { ...stored.value, phase: 'idle', run: null, lists: [] }, stored.version)
  await removeLists(repository, epoch)
  return { outcome: 'done', waitingFor: [], deletedObjects }
}

/** Phase one. The epoch begins only with the published lists: an epoch that began earlier would have writers who do not know them. */
async function condemn(
  repository: Repository,
  found: Versioned<RepositoryState>,
  signal: AbortSignal | undefined,
): Promise<Versioned<RepositoryState>> {
  const run = randomBytes(8).toString('hex')
  const marking = await replaceState(
    repository,
    { ...found.value, phase: 'marking', run, lists: [] },
    found.version,
  )
  if (marking === undefined) throw overtaken()
  const epoch = found.value.epoch + 1
  const lists: CondemnedListRef[] = []
  for (const domain of await listDomains(repository)) {
    for await (const blobs of unreachable(repository, domain, signal)) {
      const key = condemnedListKey(epoch, run, lists.length)
      const result = await repository.target.putIfAbsent(
        key,
        repository.sealer.seal(key, encodeCondemned(blobs)),
      )
      if (result === 'exists') throw overtaken()
      lists.push({ key, domain })
    }
  }
  signal?.throwIfAborted()
  const published = await replaceState(
    repository,
    { version: 1, epoch, phase: 'condemned', run, lists },
    marking.version,
  )
  if (published === undefined) throw overtaken()
  return published
}

async function* unreachable(
  repository: Repository,
  domain: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<CondemnedBlob[]> {
  const reachable = await markReachable(repository, domain, signal)
  let batch: CondemnedBlob[] = []
  for (const kind of ['chunk', 'page'] satisfies BlobKind[]) {
    for await (const { key } of repository.target.list(blobsPrefix(kind, domain))) {
      signal?.throwIfAborted()
      const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
      if (ref === undefined || reachable.has(ref)) continue
      batch.push({ ...ref, kind })
      if (batch.length < LIMITS.condemnedListItems) continue
      yield batch
      batch = []
    }
  }
  if (batch.length > 0) yield batch
}

/** Uploads that do not know the lists. Those that may be aborted are. */
async function openBefore(
  repository: Repository,
  epoch: number,
  domains: readonly string[],
  { abortable, signal }: CollectRequest,
): Promise<BackupRequest[]> {
  const waitingFor: BackupRequest[] = []
  for (const domain of domains) {
    signal?.throwIfAborted()
    for (const { value } of await listRecords(repository, domain)) {
      if (value.state !== 'open' || value.epoch >= epoch) continue
      const backup = { domain, backupId: value.backupId }
      if ((await abortable?.(backup)) === true) await abortBackup(repository, backup)
      else waitingFor.push(backup)
    }
  }
  return waitingFor
}

async function removeBlobs(
  repository: Repository,
  domain: string,
  blobs: readonly CondemnedBlob[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const remove = (blob: CondemnedBlob) => repository.target.delete(blobKey(blob.kind, domain, blob))
  await pMap(blobs, remove, { concurrency: LIMITS.targetRequests, ...(signal && { signal }) })
}

/** What a crash left of deleted and aborted backups. */
async function removeRemains(repository: Repository, domain: string, epoch: number): Promise<void> {
  for (const { value } of await listRecords(repository, domain)) {
    const isOver = value.state === 'aborted' || value.state === 'deleting'
    if (isOver && value.epoch < epoch) await removeRecord(repository, value)
  }
  const journals = new Set<string>()
  for await (const { key } of repository.target.list(journalsPrefix(domain))) {
    journals.add(key.slice(journalsPrefix(domain).length).split('/')[0] ?? '')
  }
  for (const backupId of journals) {
    // A journal is younger than its record: without an open one, nobody will read it.
    const record = await readRecord(repository, domain, backupId)
    if (record?.value.state !== 'open') await removeAll(repository.target, journalPrefix(domain, backupId))
  }
}

/** Lists of this collection and of older ones that were given up; never those of a younger one. */
async function removeLists(repository: Repository, epoch: number): Promise<void> {
  for await (const { key } of repository.target.list(COLLECTION_PREFIX)) {
    if (Number(key.split('/')[1]) <= epoch) await repository.target.delete(key)
  }
}

function overtaken(): DriverError {
  return new DriverError(
    'busy',
    'Expected to be the only collector of this repository, another one is at work',
  )
}
