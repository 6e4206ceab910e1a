/**
 * What an upload has finished, written down every few seconds: a later attempt of the same upload continues from it. The record names
 * its journal; an attempt that takes over begins a new one, so whatever an overtaken attempt still writes does not count.
 */
import { randomBytes } from 'node:crypto'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { decodeEntry, encodeEntry, type Entry } from './entry.ts'
import { journalKey } from './names.ts'
import type { BackupRecord, BackupTotals } from './record.ts'
import type { Repository } from './repository.ts'

/** Finished pages, and finished chunks of pages that are not. */
export interface UploadedParts {
  readonly pages: Map<number, string | null>
  /** Chunk index -> entry; undefined stands for a chunk of zeroes. */
  readonly chunks: Map<number, Entry | undefined>
  totals: BackupTotals
  /** How many journal pages that took. */
  journalPages: number
}

interface JournalPage {
  readonly version: 1
  readonly pages: [page: number, name: string | null][]
  /** Entries in base64, empty for zeroes. */
  readonly chunks: [chunk: number, entry: string][]
  /** Of the whole upload so far. */
  readonly totals: BackupTotals
}

export const NO_TOTALS: BackupTotals = { dataChunks: 0, newChunks: 0, newObjectBytes: 0 }

export function newJournalId(): string {
  return randomBytes(8).toString('hex')
}

/** Everything that the record's journal says. */
export async function readJournal(repository: Repository, record: BackupRecord): Promise<UploadedParts> {
  const parts: UploadedParts = { pages: new Map(), chunks: new Map(), totals: NO_TOTALS, journalPages: 0 }
  for (;;) {
    const numbers = Array.from({ length: LIMITS.targetRequests }, (_, ahead) => parts.journalPages + ahead)
    const pages = await Promise.all(numbers.map((number) => readJournalPage(repository, record, number)))
    for (const page of pages) {
      if (page === undefined) return parts
      addPage(parts, page, repository.pageEntries)
    }
  }
}

/** Begins a new journal with all that is worth keeping of an older one. */
export async function writeParts(
  repository: Repository,
  record: BackupRecord,
  { pages, chunks, totals }: UploadedParts,
): Promise<void> {
  const entries = [...chunks].map(([chunk, entry]): [number, string] => [chunk, encodeEntry(entry)])
  await writeJournalPage(repository, record, 0, { version: 1, pages: [...pages], chunks: entries, totals })
}

async function readJournalPage(
  repository: Repository,
  record: BackupRecord,
  number: number,
): Promise<JournalPage | undefined> {
  const key = journalKey(record.domain, record.backupId, record.journal, number)
  const stored = await repository.target.get(key)
  if (stored === undefined) return undefined
  const { sealer } = await repository.domain(record.domain)
  return JSON.parse(sealer.open('journal page', key, stored.bytes).toString('utf8'))
}

async function writeJournalPage(
  repository: Repository,
  record: BackupRecord,
  number: number,
  page: JournalPage,
): Promise<void> {
  const key = journalKey(record.domain, record.backupId, record.journal, number)
  const sealed = (await repository.domain(record.domain)).sealer.seal(key, Buffer.from(JSON.stringify(page)))
  if ((await repository.target.putIfAbsent(key, sealed)) === 'created') return
  throw new DriverError('busy', `Expected to be the only writer of journal page ${key}`)
}

/** The chunks of a finished page are forgotten: memory stays bounded by the pages in work. */
function addPage(parts: UploadedParts, { chunks, pages, totals }: JournalPage, pageEntries: number): void {
  for (const [chunk, entry] of chunks) parts.chunks.set(chunk, decodeEntry(entry))
  for (const [page, name] of pages) {
    parts.pages.set(page, name)
    for (let slot = 0; slot < pageEntries; slot += 1) parts.chunks.delete(page * pageEntries + slot)
  }
  parts.totals = totals
  parts.journalPages += 1
}

export class JournalWriter {
  readonly #repository: Repository
  readonly #record: BackupRecord
  readonly #uploadsMax: number
  readonly #onWritten: () => Promise<void>
  #number: number
  #pages: JournalPage['pages'] = []
  #chunks: JournalPage['chunks'] = []
  #totals: BackupTotals
  #uploads = 0
  #closed = false
  #flushedAtMs = performance.now()
  #flushing: Promise<void> = Promise.resolve()

  /** A page is due after `chunksMax` uploads; `onWritten` is called after each. */
  constructor(
    repository: Repository,
    record: BackupRecord,
    parts: UploadedParts,
    {
      chunksMax,
      onWritten = () => Promise.resolve(),
    }: { chunksMax: number; onWritten?: () => Promise<void> },
  ) {
    this.#onWritten = onWritten
    this.#repository = repository
    this.#record = record
    this.#number = parts.journalPages
    this.#totals = parts.totals
    this.#uploadsMax = Math.max(1, chunksMax)
  }

  addChunk(chunk: number, entry: Entry | undefined, uploaded: boolean, totals: BackupTotals): Promise<void> {
    this.#chunks.push([chunk, encodeEntry(entry)])
    if (uploaded) this.#uploads += 1
    return this.#added(totals)
  }

  addPage(page: number, name: string | null, totals: BackupTotals): Promise<void> {
    this.#pages.push([page, name])
    return this.#added(totals)
  }

  flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write())
    return this.#flushing
  }

  /** Callers wait for a due flush, so that uploads never run ahead of the journal. */
  #added(totals: BackupTotals): Promise<void> {
    this.#totals = totals
    const due =
      this.#uploads >= this.#uploadsMax || performance.now() - this.#flushedAtMs >= LIMITS.journalIntervalMs
    return due ? this.flush() : this.#flushing
  }

  /** What is not written yet never will be. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([this.#flushing])
  }

  async #write(): Promise<void> {
    if (this.#closed) return
    if (this.#pages.length === 0 && this.#chunks.length === 0) return
    const page: JournalPage = { version: 1, pages: this.#pages, chunks: this.#chunks, totals: this.#totals }
    this.#pages = []
    this.#chunks = []
    this.#uploads = 0
    this.#flushedAtMs = performance.now()
    await writeJournalPage(this.#repository, this.#record, this.#number, page)
    this.#number += 1
    await this.#onWritten()
  }
}
