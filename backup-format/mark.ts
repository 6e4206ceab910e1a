import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { pageRef, readPage } from './blob.ts'
import type { BackupRequest } from './commit.ts'
import { readJournal } from './journal.ts'
import { KeySet } from './key-set.ts'
import { createLine } from './line.ts'
import type { BlobRef } from './names.ts'
import { type BackupRecord, eachRecord, readRecord, type StoredRecord } from './record.ts'
import type { Repository } from './repository.ts'

export interface Marker {
  /** A page that is needed, with everything it refers to. The same page may come again. */
  page(ref: BlobRef, entries: Buffer): void
  /** A chunk that an upload has stored, of a page that is not finished. */
  chunk(ref: BlobRef): void
  /** Nobody goes on with this open backup: what its journal says is not needed. */
  readonly isAbandoned?: (backup: BackupRequest) => boolean | Promise<boolean>
}

/**
 * Shows the marker everything that the domain's committed records refer to; and, so that little of it is condemned in vain, what the
 * journals of open ones say.
 */
export async function markReachable(
  repository: Repository,
  domain: string,
  marker: Marker,
  signal: AbortSignal | undefined,
): Promise<void> {
  const walk = new Walk(repository, domain, marker, signal)
  await eachRecord(repository, domain, (stored) => walk.record(stored), signal)
}

class Walk {
  readonly #repository: Repository
  readonly #domain: string
  readonly #marker: Marker
  readonly #signal: AbortSignal | undefined
  readonly #pages = new KeySet()
  readonly #reading = createLine(LIMITS.targetRequests)

  constructor(repository: Repository, domain: string, marker: Marker, signal: AbortSignal | undefined) {
    this.#repository = repository
    this.#domain = domain
    this.#marker = marker
    this.#signal = signal
  }

  async record(stored: StoredRecord): Promise<void> {
    try {
      await this.#mark(stored.value)
    } catch (error) {
      // A record that was deleted or aborted while we read it protects nothing any more. One that stands must be read completely.
      const now = await readRecord(this.#repository, this.#domain, stored.value.backupId)
      if (!(error instanceof DriverError) || now?.version === stored.version) throw error
      // One that was open then is marked again when it counts.
      if (stored.value.state === 'committed' && now?.value.state === 'committed') throw error
    }
  }

  async #mark(record: BackupRecord): Promise<void> {
    if (record.state === 'committed') await this.#markPages(record.pages ?? [])
    if (record.state !== 'open') return
    if ((await this.#marker.isAbandoned?.(record)) === true) return
    const { pages, chunks } = await readJournal(this.#repository, record)
    for (const entry of chunks.values()) if (entry !== undefined) this.#marker.chunk(entry)
    await this.#markPages([...pages.values()])
  }

  async #markPages(names: readonly (string | null)[]): Promise<void> {
    const named = names.filter((name) => name !== null)
    const mark = (name: string) => this.#reading.pass(() => this.#markPage(name))
    await pMap(named, mark, { concurrency: LIMITS.targetRequests })
  }

  /** Each page is read once, however many records share it; it counts as read only when it was. */
  async #markPage(name: string): Promise<void> {
    this.#signal?.throwIfAborted()
    const domain = await this.#repository.domain(this.#domain)
    const ref = pageRef(domain, name)
    if (this.#pages.has(ref)) return
    this.#marker.page(ref, await readPage(this.#repository, domain, name, this.#signal))
    this.#pages.add(ref)
  }
}
