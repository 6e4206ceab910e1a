/** Looks whether a backup could be restored, and leaves a marker for each object that is damaged. */
import pMap from 'p-map'
import { openReader } from '../block-io/reader.ts'
import { LIMITS } from '../domain/limits.ts'
import { pageRef, readUnlessDamaged } from './blob.ts'
import { type ChunkFinding, createChunkVerify, type VerifyTask } from './chunk-verify.ts'
import type { BackupRequest } from './commit.ts'
import { ENTRY_BYTES, type Entry, entriesOf } from './entry.ts'
import { type Executor, inlineExecutor, threadExecutor } from './executor.ts'
import { chunkCount, chunkLength } from './geometry.ts'
import { type CopyContext, healChunk, healPage } from './heal-from-copy.ts'
import { blobKey, blobName, type BlobRef } from './names.ts'
import { isQuarantined, putMarker, type Quarantined, readQuarantined, removeMarker } from './quarantine.ts'
import { type BackupRecord, readCommitted } from './record.ts'
import type { Domain, Repository } from './repository.ts'
import { isSampled } from './sample.ts'
import type { ThreadTarget } from './thread-target.ts'
import type { VerifyFindings, VerifyRequest } from './verify-request.ts'
import type { VerifyThreadData } from './verify-thread.ts'

type Request = BackupRequest &
  VerifyRequest & { readonly threads?: ThreadTarget & { readonly count: number } }

/** Resolves to what was found, by earlier attempts, too. The backup itself cannot be read: DriverError `notFound`, `busy` or `corrupt`. */
export async function verifyBackup(repository: Repository, request: Request): Promise<VerifyFindings> {
  const record = await readCommitted(repository, request.domain, request.backupId)
  const domain = await repository.domain(request.domain)
  const quarantined = await readQuarantined(repository, request.domain)
  const volume = request.volume === undefined ? undefined : await openReader(request.volume)
  const setup = { domain: domain.name, keys: domain.keys }
  const executor =
    request.threads === undefined
      ? inlineExecutor(createChunkVerify(repository.target, volume, setup), request.signal)
      : startThreads(request, request.threads, setup)
  try {
    const verification = new Verification({ repository, request, record, domain, quarantined, executor })
    for (let page = 0; page < record.pages.length; page += 1) {
      request.signal.throwIfAborted()
      await verification.page(page)
      if (page >= verification.resumeFromPage) await request.onCheckpoint((page + 1) * verification.pageBytes)
    }
    return verification.findings
  } finally {
    await executor.close()
    await volume?.close()
  }
}

interface Context {
  readonly repository: Repository
  readonly request: Request
  readonly record: BackupRecord & { readonly pages: readonly (string | null)[] }
  readonly domain: Domain
  readonly quarantined: Quarantined
  readonly executor: Executor<VerifyTask, ChunkFinding>
}

class Verification {
  readonly #context: Context
  findings: VerifyFindings = {
    ...{ checkedChunks: 0, damagedChunks: 0, damagedPages: 0 },
    ...{ healedChunks: 0, healedPages: 0 },
  }
  #movedBytes = 0

  readonly pageBytes: number
  /** Pages before this one were looked at by an earlier attempt, and what was found there has its markers. */
  readonly resumeFromPage: number

  constructor(context: Context) {
    this.#context = context
    const { repository, request } = context
    this.pageBytes = repository.pageEntries * repository.chunkBytes
    // What differs from a volume leaves no marker: then all of it is looked at again.
    this.resumeFromPage =
      request.volume === undefined ? Math.floor(request.resumeFromBytes / this.pageBytes) : 0
  }

  async page(page: number): Promise<void> {
    const { record, domain } = this.#context
    const name = record.pages[page] ?? null
    if (name !== null) await this.#lookAt(page, pageRef(domain, name))
    this.#progress(Math.min(record.sizeBytes, (page + 1) * this.pageBytes))
  }

  async #lookAt(page: number, ref: BlobRef): Promise<void> {
    const { repository, request, domain, quarantined } = this.#context
    const entries = await this.#entries(page, ref)
    if (entries === undefined) {
      await putMarker(repository, domain.name, { kind: 'page', ref }, 'damaged')
      this.findings = { ...this.findings, damagedPages: this.findings.damagedPages + 1 }
      return
    }
    // As long as it was damaged, nobody could look at its chunks.
    const wasHidden = isQuarantined(quarantined, 'page', ref)
    const wanted = entries.filter(({ chunk, entry }) => wasHidden || this.#isWanted(chunk, entry))
    const look = async ({ chunk, entry }: { chunk: number; entry: Entry }) => {
      if (page < this.resumeFromPage) this.#count(isQuarantined(quarantined, 'chunk', entry))
      else await this.#settle(chunk, entry, await this.#finding(chunk, entry))
    }
    const concurrency = request.level === 'presence' ? LIMITS.targetRequests : this.#context.executor.capacity
    await pMap(wanted, look, { concurrency, signal: request.signal })
    if (this.#readsContent) await this.#unmark('page', ref)
  }

  /** Undefined: the page cannot be read, and what it said is lost until it is healed. */
  async #entries(page: number, ref: BlobRef): Promise<{ chunk: number; entry: Entry }[] | undefined> {
    const { repository, request, record, domain } = this.#context
    const first = page * repository.pageEntries
    const length = Math.min(
      repository.pageEntries,
      chunkCount(repository.chunkBytes, record.sizeBytes) - first,
    )
    let bytes = await readUnlessDamaged(repository, domain, blobName(ref), request.signal)
    if (bytes === 'damaged' || bytes.byteLength !== length * ENTRY_BYTES) {
      const copy = this.#copy(first * repository.chunkBytes)
      const healed = copy && (await healPage(copy, page, ref))
      if (healed === undefined) return undefined
      this.findings = { ...this.findings, healedPages: this.findings.healedPages + 1 }
      bytes = healed
    }
    return [...entriesOf(bytes)].flatMap((entry, slot) =>
      entry === undefined ? [] : [{ chunk: first + slot, entry }],
    )
  }

  #copy(doneBytes: number): CopyContext | undefined {
    const { repository, domain, record, request } = this.#context
    const { copy, signal, pace } = request
    if (copy === undefined) return undefined
    const onRead = (bytes: number) => {
      this.#movedBytes += bytes
      this.#progress(doneBytes)
    }
    return { repository, domain, record, copy, signal, pace, onRead }
  }

  #isWanted(chunk: number, entry: Entry): boolean {
    const { request, quarantined } = this.#context
    if (request.level === 'quarantined') return isQuarantined(quarantined, 'chunk', entry)
    return isSampled(request.seed, String(chunk), request.samplePercent)
  }

  #finding(chunk: number, entry: Entry): Promise<ChunkFinding> {
    return this.#context.request.level === 'presence' ? this.#look(entry) : this.#fetch(chunk, entry)
  }

  async #look(entry: Entry): Promise<ChunkFinding> {
    const { repository, domain } = this.#context
    const wanted = blobKey('chunk', domain.name, entry)
    for await (const { key } of repository.target.list(wanted)) if (key === wanted) return 'good'
    return 'missing'
  }

  async #fetch(chunk: number, entry: Entry): Promise<ChunkFinding> {
    const { repository, record, request, executor } = this.#context
    const length = chunkLength(chunk, repository.chunkBytes, record.sizeBytes)
    await request.pace(length)
    const finding = await executor.run({ offset: chunk * repository.chunkBytes, length, entry })
    this.#movedBytes += length
    this.#progress(chunk * repository.chunkBytes)
    return finding
  }

  async #settle(chunk: number, entry: Entry, finding: ChunkFinding): Promise<void> {
    const { repository, domain } = this.#context
    const isLost = finding === 'missing' || finding === 'damaged'
    const isHealed = isLost && (await this.#heal(chunk, entry))
    this.#count(finding !== 'good' && !isHealed)
    if (isHealed) return
    if (isLost) await putMarker(repository, domain.name, { kind: 'chunk', ref: entry }, finding)
    else if (finding === 'good' && this.#readsContent) await this.#unmark('chunk', entry)
  }

  async #heal(chunk: number, entry: Entry): Promise<boolean> {
    const copy = this.#copy(chunk * this.#context.repository.chunkBytes)
    if (copy === undefined || !(await healChunk(copy, chunk, entry))) return false
    this.findings = { ...this.findings, healedChunks: this.findings.healedChunks + 1 }
    return true
  }

  /** Names, or another volume's bytes, do not show that an object is good. */
  get #readsContent(): boolean {
    const { level, volume } = this.#context.request
    return level !== 'presence' && volume === undefined
  }

  #count(isDamaged: boolean): void {
    const { checkedChunks, damagedChunks } = this.findings
    this.findings = {
      ...this.findings,
      checkedChunks: checkedChunks + 1,
      damagedChunks: damagedChunks + (isDamaged ? 1 : 0),
    }
  }

  /** It was healed, or was never damaged: a marker that nobody needs. */
  async #unmark(kind: 'chunk' | 'page', ref: { id: string; epoch: number }): Promise<void> {
    const { repository, domain, quarantined } = this.#context
    if (isQuarantined(quarantined, kind, ref)) await removeMarker(repository, domain.name, { kind, ref })
  }

  #progress(doneBytes: number): void {
    const { record, request } = this.#context
    request.onProgress({ doneBytes, totalBytes: record.sizeBytes, movedBytes: this.#movedBytes })
  }
}

function startThreads(
  { volume }: Request,
  { count, ...target }: ThreadTarget & { readonly count: number },
  setup: VerifyThreadData['setup'],
): Executor<VerifyTask, ChunkFinding> {
  const data: VerifyThreadData = { target, volume, setup }
  return threadExecutor('verify-thread', data, count)
}
