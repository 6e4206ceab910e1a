/** Knows what every committed backup must hold, and looks at each change of the store: what is wrong is seen when it happens. */
import { entriesOf } from '../../../backup-format/entry.ts'
import {
  blobKey,
  blobsPrefix,
  parseBlobName,
  recordsPrefix,
  STATE_KEY,
} from '../../../backup-format/names.ts'
import type { BackupRecord } from '../../../backup-format/record.ts'
import type { Sealer } from '../../../backup-format/envelope.ts'
import type { Domain, Repository } from '../../../backup-format/repository.ts'
import type { RepositoryState } from '../../../backup-format/state.ts'
import type { Store, StoreObserver } from './store.ts'

const TRANSITIONS: Readonly<Record<string, readonly BackupRecord['state'][]>> = {
  open: ['open', 'committed', 'aborted'],
  committed: ['deleting'],
  aborted: ['aborted'],
  deleting: [],
}

export class Violation extends Error {}

export class Oracle implements StoreObserver {
  readonly #store: Store
  readonly #repository: Repository
  readonly #sealer: Sealer
  readonly #domain: string
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
  #epoch = 1
  #violation: Violation | undefined

  /** The repository's own target is not used. */
  constructor(store: Store, repository: Repository, { name, sealer }: Domain) {
    this.#store = store
    this.#repository = repository
    this.#domain = name
    this.#sealer = sealer
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

  written(key: string, bytes: Buffer, before: Buffer | undefined): void {
    if (key === STATE_KEY) this.#stateWritten(this.#openState(key, bytes))
    if (key.startsWith(recordsPrefix(this.#domain))) this.#recordWritten(key, bytes)
    else if (before !== undefined && key !== STATE_KEY) this.violated(`${key} was overwritten`)
  }

  deleted(key: string): void {
    const count = this.#needed.get(key) ?? 0
    if (count > 0) this.violated(`${key} was deleted, ${count} committed backups need it`)
    const backupId = key.slice(recordsPrefix(this.#domain).length)
    const record = key.startsWith(recordsPrefix(this.#domain)) ? this.records.get(backupId) : undefined
    if (record === undefined) return
    if (record.state === 'committed' && !this.unwanted.has(backupId))
      this.violated(`The record of committed ${backupId} was deleted`)
    this.#forget(backupId)
    this.records.delete(backupId)
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
    if (state === 'committed') this.#commit(record)
    if (state === 'deleting') this.#forget(backupId)
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

  #open({ backupId }: BackupRecord, kind: 'index page' | 'chunk', key: string): Buffer {
    const stored = this.#store.get(key)
    if (stored !== undefined) return this.#sealer.open(kind, key, stored.bytes)
    this.violated(`${backupId} was committed without ${key}`)
    return Buffer.alloc(0)
  }

  /** When nobody is at work, the target holds what committed backups need, and nothing else. */
  checkQuiet(): void {
    for (const { backupId, state } of this.records.values())
      if (state !== 'committed') this.violated(`${backupId} is still ${state}`)
    for (const kind of ['chunk', 'page'] as const)
      for (const key of this.#store.list(blobsPrefix(kind, this.#domain)).keys())
        if ((this.#needed.get(key) ?? 0) === 0) this.violated(`${key} is left over`)
    const rest = [...this.#store.list(`d/${this.#domain}/j/`).keys(), ...this.#store.list('gc/').keys()]
    if (rest.length > 0) this.violated(`left over: ${rest.join(' ')}`)
    this.check()
  }
}
