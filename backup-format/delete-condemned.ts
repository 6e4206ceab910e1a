/** Phase two of a collection: what is condemned, and still needed by nobody, is deleted. */
import pMap from 'p-map'
import { LIMITS } from '../domain/limits.ts'
import { addTallies, type CollectAccounts, NO_ACCOUNTS, type Tally, tallyOf } from './accounts.ts'
import type { CollectRequest } from './collect-request.ts'
import { type CondemnedBlob, readCondemnedList, uniteLists } from './condemned.ts'
import { ENTRY_BYTES } from './entry.ts'
import { KeySet } from './key-set.ts'
import { markReachable } from './mark.ts'
import { blobKey, type BlobRef } from './names.ts'
import { isQuarantined, type Quarantined, readQuarantined, removeMarker } from './quarantine.ts'
import type { Repository } from './repository.ts'
import { readState, type RepositoryState, type Versioned } from './state.ts'

/** Must be called once no upload of an older epoch is open: everything that may need the condemned is committed then. */
export async function deleteCondemned(
  repository: Repository,
  { value: state, version }: Versioned<RepositoryState>,
  request: CollectRequest,
): Promise<CollectAccounts> {
  const deletion = new Deletion(repository, request)
  for (const domain of new Set(state.lists.map((list) => list.domain))) {
    const lists = state.lists.filter((list) => list.domain === domain)
    const needed = await stillNeeded(repository, state, domain, request)
    // Once another collector has finished this collection, new backups rely on what it rescued, and so on what we no longer see needed.
    if ((await readState(repository)).version !== version) break
    const quarantined = await readQuarantined(repository, domain)
    for (const { key } of lists) {
      const condemned = (await readCondemnedList(repository, key)) ?? []
      await deletion.ofList({ domain, quarantined, needed }, condemned)
    }
  }
  return deletion.accounts
}

/** Of the domain's condemned objects, those that a committed record refers to. */
async function stillNeeded(
  repository: Repository,
  state: RepositoryState,
  domain: string,
  { signal, onProgress }: CollectRequest,
): Promise<KeySet> {
  const needed = new KeySet()
  const condemned = await uniteLists(repository, state, domain)
  if (condemned === undefined) return needed
  const keep = (ref: BlobRef) => {
    if (condemned.has(ref)) needed.add(ref)
  }
  let readBytes = 0
  await markReachable(
    repository,
    domain,
    {
      page: (ref, entries) => {
        keep(ref)
        keepEntries(entries, condemned, needed)
        readBytes += entries.byteLength
        onProgress?.({ phase: 'marking again', doneBytes: readBytes, totalBytes: 0 })
      },
      chunk: keep,
    },
    signal,
  )
  return needed
}

/** Without a string for each entry: a target has millions. */
function keepEntries(page: Buffer, condemned: KeySet, needed: KeySet): void {
  for (let at = 0; at < page.byteLength; at += ENTRY_BYTES) {
    const key = [page.readUInt32BE(at), page.readUInt32BE(at + 4), page.readUInt32BE(at + 8)] as const
    const epoch = page.readUInt32LE(at + 32)
    if (epoch !== 0 && condemned.hasWords(...key, epoch)) needed.addWords(...key, epoch)
  }
}

interface Place {
  readonly domain: string
  readonly quarantined: Quarantined
  readonly needed: KeySet
}

class Deletion {
  readonly #repository: Repository
  readonly #request: CollectRequest
  #accounts = NO_ACCOUNTS

  constructor(repository: Repository, request: CollectRequest) {
    this.#repository = repository
    this.#request = request
  }

  get accounts(): CollectAccounts {
    return this.#accounts
  }

  async ofList(place: Place, condemned: readonly CondemnedBlob[]): Promise<void> {
    const { needed } = place
    this.#count('condemned', tallyOf(condemned))
    this.#count('rescued', tallyOf(condemned.filter((blob) => needed.has(blob))))
    const gone = condemned.filter((blob) => !needed.has(blob))
    const batches = Array.from({ length: Math.ceil(gone.length / LIMITS.deletionBatch) }, (_, batch) =>
      gone.slice(batch * LIMITS.deletionBatch, (batch + 1) * LIMITS.deletionBatch),
    )
    const { signal } = this.#request
    await pMap(batches, (batch) => this.#delete(place, batch), {
      concurrency: LIMITS.deletionBatchesInFlight,
      ...(signal && { signal }),
    })
  }

  async #delete({ domain, quarantined }: Place, blobs: readonly CondemnedBlob[]): Promise<void> {
    const { signal, onProgress } = this.#request
    signal?.throwIfAborted()
    const byKey = new Map(blobs.map((blob) => [blobKey(blob.kind, domain, blob), blob]))
    const { locked } = await this.#repository.target.deleteMany([...byKey.keys()], {
      ...(signal && { signal }),
    })
    const isLocked = new Set(locked)
    for (const blob of blobs)
      if (isQuarantined(quarantined, blob.kind, blob) && !isLocked.has(blobKey(blob.kind, domain, blob)))
        await removeMarker(this.#repository, domain, { kind: blob.kind, ref: blob })
    const kept = tallyOf(locked.map((key) => byKey.get(key)).filter((blob) => blob !== undefined))
    this.#count('locked', kept)
    const all = tallyOf(blobs)
    this.#count('deleted', { objects: all.objects - kept.objects, bytes: all.bytes - kept.bytes })
    const { bytes } = addTallies(this.#accounts.deleted, this.#accounts.locked)
    onProgress?.({ phase: 'deleting', doneBytes: bytes, totalBytes: 0 })
  }

  #count(name: keyof CollectAccounts, more: Tally): void {
    this.#accounts = { ...this.#accounts, [name]: addTallies(this.#accounts[name], more) }
  }
}
