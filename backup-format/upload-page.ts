/** Uploads the chunks of one index page, then the page itself. */
import pMap from 'p-map'
import type { BlockReader } from '../block-io/device.ts'
import { LIMITS } from '../domain/limits.ts'
import { writePage } from './blob.ts'
import { touchedChunks } from './touched-chunks.ts'
import type { UploadedChunk, UploadTask } from './chunk-upload.ts'
import { ENTRY_BYTES, type Entry, entriesOf, writeEntry } from './entry.ts'
import type { Executor } from './executor.ts'
import { chunkCount, chunkLength, pageCount } from './geometry.ts'
import type { JournalWriter } from './journal.ts'
import { contentId } from './keys.ts'
import { blobName } from './names.ts'
import type { OpenUpload } from './open-upload.ts'
import { heal } from './quarantine.ts'
import type { BackupTotals } from './record.ts'
import type { Repository } from './repository.ts'
import type { Parent, ParentPage } from './upload-parent.ts'
import type { UploadRequest } from './upload-request.ts'

export interface UploadContext {
  readonly repository: Repository
  readonly request: UploadRequest
  readonly opened: OpenUpload
  readonly parent: Parent
  readonly reader: BlockReader
  readonly executor: Executor<UploadTask, UploadedChunk>
  readonly journal: JournalWriter
  readonly signal: AbortSignal
}

/** The part of the volume whose extents were asked for last. */
interface ExtentWindow {
  readonly start: number
  readonly hasData: Promise<(chunk: number) => boolean>
}

export class PageUpload {
  readonly count: number
  readonly #context: UploadContext
  #totals: BackupTotals
  #redoneChunks = 0
  #healedObjects = 0
  #window: ExtentWindow = { start: -1, hasData: Promise.resolve(() => true) }
  #doneBytes = 0

  constructor(context: UploadContext) {
    this.#context = context
    this.#totals = context.opened.parts.totals
    this.count = pageCount(context.repository, context.request.sizeBytes)
  }

  get totals(): BackupTotals {
    return this.#totals
  }

  get healedObjects(): number {
    return this.#healedObjects
  }

  get redoneChunks(): number {
    return this.#redoneChunks
  }

  /** Returns the page's name for the record, null for a page of zeroes. */
  async upload(page: number): Promise<string | null> {
    const { opened, journal, signal } = this.#context
    signal.throwIfAborted()
    const chunks = this.#chunksOf(page)
    const finished = opened.parts.pages.get(page)
    if (finished !== undefined) {
      this.#progress(chunks)
      return finished
    }
    const bytes = Buffer.alloc(chunks.length * ENTRY_BYTES)
    const parentPage = await this.#context.parent.page(page)
    const open = await this.#fillKnown(parentPage, chunks, bytes)
    const concurrency = this.#context.executor.capacity
    await pMap(open, (chunk) => this.#uploadChunk(chunk, parentPage, bytes), { concurrency, signal })
    const name = await this.#store(bytes, parentPage)
    const dataChunks = [...entriesOf(bytes)].filter((entry) => entry !== undefined).length
    this.#totals = { ...this.#totals, dataChunks: this.#totals.dataChunks + dataChunks }
    await journal.addPage(page, name, this.#totals)
    for (const chunk of chunks) opened.parts.chunks.delete(chunk)
    return name
  }

  #chunksOf(page: number): number[] {
    const { chunkBytes, pageEntries } = this.#context.repository
    const first = page * pageEntries
    const length = Math.min(pageEntries, chunkCount(chunkBytes, this.#context.request.sizeBytes) - first)
    return Array.from({ length }, (_, slot) => first + slot)
  }

  /** Fills in what an earlier attempt, the parent or the source's holes tell; returns what must be read. */
  async #fillKnown(parentPage: ParentPage, chunks: number[], bytes: Buffer): Promise<number[]> {
    const { opened } = this.#context
    const known: number[] = []
    const unknown: number[] = []
    for (const chunk of chunks) {
      const slot = this.#slot(chunk)
      const unchanged = parentPage.unchanged(chunk)
      if (opened.parts.chunks.has(chunk)) writeEntry(bytes, slot, opened.parts.chunks.get(chunk))
      else if (unchanged !== undefined) writeEntry(bytes, slot, unchanged === 'zero' ? undefined : unchanged)
      else {
        unknown.push(chunk)
        continue
      }
      known.push(chunk)
    }
    const isHole = unknown.length === 0 ? () => false : await this.#holes(chunks)
    const open = unknown.filter((chunk) => !isHole(chunk))
    this.#progress([...known, ...unknown.filter(isHole)])
    return open
  }

  /** Chunks that the source knows to be zero. */
  async #holes(chunks: number[]): Promise<(chunk: number) => boolean> {
    const { repository, request, reader } = this.#context
    const { chunkBytes, pageEntries } = repository
    const windowBytes = LIMITS.extentPages * pageEntries * chunkBytes
    const start = Math.floor(((chunks[0] ?? 0) * chunkBytes) / windowBytes) * windowBytes
    if (this.#window.start !== start) {
      const extents = reader.extents(start, Math.min(windowBytes, request.sizeBytes - start))
      const hasData = extents.then((found) =>
        touchedChunks(
          found.filter(({ kind }) => kind === 'data'),
          chunkBytes,
        ),
      )
      this.#window = { start, hasData }
    }
    const hasData = await this.#window.hasData
    return (chunk) => !hasData(chunk)
  }

  async #uploadChunk(chunk: number, parentPage: ParentPage, bytes: Buffer): Promise<void> {
    const { repository, request, opened, executor, journal, signal } = this.#context
    signal.throwIfAborted()
    const length = chunkLength(chunk, repository.chunkBytes, request.sizeBytes)
    await request.pace?.(length)
    const { entry, outcome, healed } = await executor.run({
      offset: chunk * repository.chunkBytes,
      length,
      epoch: opened.record.value.epoch,
      parent: parentPage.entry(chunk),
    })
    writeEntry(bytes, this.#slot(chunk), entry)
    if (outcome === 'stored') this.#count(entry)
    if (outcome === 'present') this.#redoneChunks += 1
    this.#healedObjects += healed
    const uploaded = outcome === 'stored' || outcome === 'present'
    await journal.addChunk(chunk, entry, uploaded, this.#totals)
    this.#progress([chunk])
  }

  #count(entry: Entry | undefined): void {
    this.#totals = {
      ...this.#totals,
      newChunks: this.#totals.newChunks + 1,
      newObjectBytes: this.#totals.newObjectBytes + (entry?.objectBytes ?? 0),
    }
  }

  async #store(bytes: Buffer, parentPage: ParentPage): Promise<string | null> {
    if (!bytes.some((byte) => byte !== 0)) return null
    const { repository, request, opened } = this.#context
    const domain = await repository.domain(request.domain)
    const ref = { id: contentId(domain.keys, bytes), epoch: opened.record.value.epoch }
    const healer = { target: repository.target, domain: domain.name, sealer: domain.sealer }
    const page = { kind: 'page', id: ref.id, plain: bytes } as const
    const healed = await heal(healer, opened.quarantined, page)
    this.#healedObjects += healed
    const known = parentPage.name(ref.id)
    if (known !== undefined) return known
    await writePage(repository, domain, ref, bytes)
    return blobName(ref)
  }

  #slot(chunk: number): number {
    return chunk % this.#context.repository.pageEntries
  }

  #progress(chunks: readonly number[]): void {
    const { repository, request } = this.#context
    for (const chunk of chunks)
      this.#doneBytes += chunkLength(chunk, repository.chunkBytes, request.sizeBytes)
    request.onProgress?.({
      doneBytes: this.#doneBytes,
      totalBytes: request.sizeBytes,
      objectBytes: this.#totals.newObjectBytes,
      chunksStored: this.#totals.newChunks,
      redoneChunks: this.#redoneChunks,
    })
  }
}
