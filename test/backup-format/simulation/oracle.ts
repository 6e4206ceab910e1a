/** Knows what every committed backup must hold, and looks at each change of the store: what is wrong is seen when it happens. */
import { entriesOf } from '../../../backup-format/entry.ts'
import {
  type BlobKind,
  blobKey,
  blobsPrefix,
  parseBlobName,
  parseQuarantineKey,
  quarantinePrefix,
  recordsPrefix,
  STATE_KEY,
} from '../../../backup-format/names.ts'
import type { BackupRecord } from '../../../backup-format/record.ts'
import type { Sealer } from '../../../backup-format/envelope.ts'
import type { Domain, Repository } from '../../../backup-format/repository.ts'
import type { RepositoryState } from '../../../backup-format/state.ts'
import { contentId } from '../../../backup-format/keys.ts'
import { Damages, type HowDamaged } from './damages.ts'
import type { Store, StoreObserver } from './store.ts'

const TRANSITIONS: Readonly<Record<string, readonly BackupRecord['state'][]>> = {
  open: ['open', 'committed', 'aborted'],
  committed: ['deleting'],
  aborted: ['aborted'],
  deleting: [],
}

const OBJECT_KINDS = { chunk: 'chunk', page: 'index page' } as const

export class Violation extends Error {}

export class Oracle implements StoreObserver {
  readonly #store: Store
  readonly #repository: Repository
  readonly #sealer: Sealer
  readonly #domain: string
  readonly #keys: Domain['keys']
  /** What each backup must restore to. */
  readonly contents = new Map<string, Buffer>()
  readonly records = new Map<string, BackupRecord>()
  /** Backups that were committed at any time. */
  readonly committed = new Set<string>()
  /** Backups whose end was asked for: they may be lost. (A late attempt may have made one of them again.) */
  readonly unwanted = new Set<string>()
  /** Objects that committed backups need -> how many of them do. */
  readonly #needed = new Map<string, number>()
  readonly #neededBy = new Map<string, readonly string[]>()
  readonly damages: Damages
  /** Objects that have a marker -> when they got it. */
  readonly #marked = new Map<string, number>()
  /** When each attempt to upload began. */
  readonly #begun = new Map<string, number>()
  /** Else nobody stores an object anew. */
  mayHeal = false
  #changes = 0
  #heals = 0
  #epoch = 1
  #violation: Violation | undefined

  /** The repository's own target is not used. */
  constructor(store: Store, repository: Repository, { name, sealer, keys }: Domain) {
    this.#store = store
    this.#repository = repository
    this.#domain = name
    this.#sealer = sealer
    this.#keys = keys
    this.damages = new Damages(store)
  }

  /** Throws what was found; code under test may have caught it. */
  check(): void {
    if (this.#violation !== undefined) throw this.#violation
  }

  violated(message: string): Violation {
    this.#violation ??= new Violation(message)
    return this.#violation
  }

  get needed(): ReadonlyMap<string, number> {
    return this.#needed
  }

  committedBackups(): string[] {
    return [...this.records.values()]
      .filter(({ state }) => state === 'committed')
      .map(({ backupId }) => backupId)
  }

  /** Counts the changes. */
  get clock(): number {
    return this.#changes
  }

  get heals(): number {
    return this.#heals
  }

  /** False: it is damaged already, or gone. */
  strike(key: string, how: HowDamaged): boolean {
    this.#changes += 1
    return this.damages.strike(key, how, this.#changes)
  }

  begin(backupId: string, writerToken: number): void {
    this.#begun.set(`${backupId}#${writerToken}`, this.#changes)
  }

  written(key: string, bytes: Buffer, before: Buffer | undefined): void {
    this.#changes += 1
    const kind = this.#blobKind(key)
    if (key === STATE_KEY) this.#stateWritten(this.#openState(key, bytes))
    else if (key.startsWith(recordsPrefix(this.#domain))) this.#recordWritten(key, bytes)
    else if (before !== undefined && (kind === undefined || !this.mayHeal))
      this.violated(`${key} was overwritten`)
    else if (kind !== undefined) this.#blobWritten(kind, key, bytes)
    else if (key.startsWith(quarantinePrefix(this.#domain))) this.#markerWritten(key)
  }

  deleted(key: string): void {
    this.#changes += 1
    const count = this.#needed.get(key) ?? 0
    if (count > 0) this.violated(`${key} was deleted, ${count} committed backups need it`)
    this.damages.isOver(key)
    const marked = this.#markedBy(key)
    if (marked !== undefined) this.#marked.delete(marked)
    const backupId = key.slice(recordsPrefix(this.#domain).length)
    const record = key.startsWith(recordsPrefix(this.#domain)) ? this.records.get(backupId) : undefined
    if (record === undefined) return
    if (record.state === 'committed' && !this.unwanted.has(backupId))
      this.violated(`The record of committed ${backupId} was deleted`)
    this.#forget(backupId)
    this.records.delete(backupId)
  }

  /** Whoever stores a chunk or page, for the first time or anew, stores what its name says. */
  #blobWritten(kind: BlobKind, key: string, bytes: Buffer): void {
    const plain = this.#sealer.open(OBJECT_KINDS[kind], key, Buffer.from(bytes))
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    if (contentId(this.#keys, plain) !== ref?.id) this.violated(`${key} got other bytes than its name says`)
    if (this.damages.isOver(key)) this.#heals += 1
  }

  #markerWritten(key: string): void {
    const marked = this.#markedBy(key) ?? key
    if ((this.#needed.get(marked) ?? 0) > 0 && !this.damages.wasEver(marked))
      this.violated(`${marked} is said to be damaged, it is not`)
    this.#marked.set(marked, this.#changes)
  }

  #markedBy(key: string): string | undefined {
    if (!key.startsWith(quarantinePrefix(this.#domain))) return undefined
    const ref = parseQuarantineKey(this.#domain, key)
    return ref && blobKey(ref.kind, this.#domain, ref)
  }

  #blobKind(key: string): BlobKind | undefined {
    if (key.startsWith(blobsPrefix('chunk', this.#domain))) return 'chunk'
    return key.startsWith(blobsPrefix('page', this.#domain)) ? 'page' : undefined
  }

  #openState(key: string, bytes: Buffer): RepositoryState {
    return JSON.parse(this.#repository.sealer.open('state', key, Buffer.from(bytes)).toString('utf8'))
  }

  #stateWritten({ epoch }: RepositoryState): void {
    if (epoch < this.#epoch) this.violated(`The epoch went from ${this.#epoch} back to ${epoch}`)
    this.#epoch = epoch
  }

  #recordWritten(key: string, bytes: Buffer): void {
    const record: BackupRecord = JSON.parse(
      this.#sealer.open('record', key, Buffer.from(bytes)).toString('utf8'),
    )
    const { backupId, state } = record
    const before = this.records.get(backupId)
    this.records.set(backupId, record)
    if (before !== undefined) {
      if (TRANSITIONS[before.state]?.includes(state) !== true)
        this.violated(`${backupId} went from ${before.state} to ${state}`)
      if (record.writerToken < before.writerToken)
        this.violated(`Attempt ${record.writerToken} of ${backupId} took over from ${before.writerToken}`)
      if (record.epoch < before.epoch)
        this.violated(`${backupId} went from epoch ${before.epoch} back to ${record.epoch}`)
    }
    if (state === 'open' && record.pages !== null && this.damages.any) this.#uploaded(record)
    if (state === 'committed') this.#commit(record)
    if (state === 'deleting') this.#forget(backupId)
  }

  /** What was marked when the attempt began was read and healed, or is not relied on. */
  #uploaded(record: BackupRecord): void {
    const { backupId, writerToken } = record
    const begun = this.#begun.get(`${backupId}#${writerToken}`) ?? 0
    for (const key of this.#read(record).keys)
      if (this.damages.has(key) && (this.#marked.get(key) ?? Infinity) <= begun)
        this.violated(`${backupId} relies on ${key}, which was known to be damaged`)
  }

  #commit(record: BackupRecord): void {
    const { backupId } = record
    this.committed.add(backupId)
    const { keys, content } = this.#read(record)
    if (this.contents.get(backupId)?.equals(content) !== true)
      this.violated(`${backupId} was committed with other bytes than its volume's`)
    this.#neededBy.set(backupId, keys)
    for (const key of keys) this.#needed.set(key, (this.#needed.get(key) ?? 0) + 1)
  }

  #forget(backupId: string): void {
    for (const key of this.#neededBy.get(backupId) ?? [])
      this.#needed.set(key, (this.#needed.get(key) ?? 0) - 1)
    this.#neededBy.delete(backupId)
  }

  #read(record: BackupRecord): { keys: string[]; content: Buffer } {
    const keys: string[] = []
    const content = Buffer.alloc(record.sizeBytes)
    const { chunkBytes, pageEntries } = this.#repository
    for (const [page, name] of (record.pages ?? []).entries()) {
      const ref = name === null ? undefined : parseBlobName(name)
      if (ref === undefined) continue
      const key = blobKey('page', this.#domain, ref)
      keys.push(key)
      const entries = [...entriesOf(this.#open(record, 'index page', key))]
      for (const [slot, entry] of entries.entries()) {
        if (entry === undefined) continue
        const chunkKey = blobKey('chunk', this.#domain, entry)
        keys.push(chunkKey)
        const chunk = this.#open(record, 'chunk', chunkKey)
        chunk.copy(content, (page * pageEntries + slot) * chunkBytes)
      }
    }
    return { keys, content }
  }

  /** As it was before it was damaged. */
  #open({ backupId }: BackupRecord, kind: 'index page' | 'chunk', key: string): Buffer {
    const bytes = this.damages.sound(key)
    if (bytes !== undefined) return this.#sealer.open(kind, key, Buffer.from(bytes))
    this.violated(`${backupId} was committed without ${key}`)
    return Buffer.alloc(0)
  }

  /** Something that it needs is damaged, and was then. */
  isDamagedSince(backupId: string, then: number): boolean {
    return (this.#neededBy.get(backupId) ?? []).some((key) => this.damages.has(key, then))
  }

  /** Nothing that it needs was ever damaged. */
  isSound(backupId: string): boolean {
    return (this.#neededBy.get(backupId) ?? []).every((key) => !this.damages.wasEver(key))
  }

  /** What a verification must find. A copy heals everything, unless a page and one of its chunks are lost together. */
  damageOf(backupId: string): { chunks: number; pages: number; couldBeHealed: boolean } {
    const record = this.records.get(backupId)
    const found = { chunks: 0, pages: 0, couldBeHealed: true }
    for (const name of record?.pages ?? []) {
      const ref = name === null ? undefined : parseBlobName(name)
      if (record === undefined || ref === undefined) continue
      const pageKey = blobKey('page', this.#domain, ref)
      const keys = [...entriesOf(this.#open(record, 'index page', pageKey))]
        .filter((entry) => entry !== undefined)
        .map((entry) => blobKey('chunk', this.#domain, entry))
      const isDamaged = this.damages.has(pageKey)
      if (isDamaged) found.pages += 1
      else found.chunks += keys.filter((key) => this.damages.has(key)).length
      if (isDamaged && keys.some((key) => this.#store.get(key) === undefined)) found.couldBeHealed = false
    }
    return found
  }

  /** Each committed backup has its volume's bytes, in the store itself. */
  checkContents(): void {
    for (const backupId of this.committedBackups()) {
      const record = this.records.get(backupId)
      const { keys, content } = record === undefined ? { keys: [], content: undefined } : this.#read(record)
      const damaged = keys.filter((key) => this.damages.has(key))
      if (damaged.length > 0 || content?.equals(this.contents.get(backupId) ?? Buffer.alloc(0)) !== true)
        this.violated(`${backupId} does not restore to its volume's bytes (${damaged.join(' ')})`)
    }
  }

  /** When nobody is at work, the target holds what committed backups need, and nothing else. */
  checkQuiet(): void {
    for (const { backupId, state } of this.records.values())
      if (state !== 'committed') this.violated(`${backupId} is still ${state}`)
    for (const kind of ['chunk', 'page'] as const)
      for (const key of this.#store.list(blobsPrefix(kind, this.#domain)).keys())
        if ((this.#needed.get(key) ?? 0) === 0) this.violated(`${key} is left over`)
    const rest = [`d/${this.#domain}/j/`, quarantinePrefix(this.#domain), 'gc/'].flatMap((prefix) => [
      ...this.#store.list(prefix).keys(),
    ])
    if (rest.length > 0) this.violated(`left over: ${rest.join(' ')}`)
    this.check()
  }
}
