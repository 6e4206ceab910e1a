/**
 * A target with any number of chunks that exist in lists alone: names are made while they are listed, index pages while they are read.
 * Each volume has two backups; in the second one chunk of each page is another one.
 */
import type { BackupTarget, StoredObject } from '../backup-format/target.ts'
import { ENTRY_BYTES } from '../backup-format/entry.ts'
import { contentId } from '../backup-format/keys.ts'
import { blobKey, blobName } from '../backup-format/names.ts'
import type { Domain } from '../backup-format/repository.ts'

const PAGE_ENTRIES = 1024
const PAGES_PER_VOLUME = 256
const LIST_PAGE_KEYS = 1000
const OBJECT_BYTES = 2_000_000

export interface Requests {
  list: number
  get: number
  write: number
  delete: number
}

export class ListingTarget implements BackupTarget {
  readonly kind = 'listing'
  readonly requests: Requests = { list: 0, get: 0, write: 0, delete: 0 }
  readonly needed: number
  deleted = 0
  readonly #chunks: number
  readonly #volumes: number
  readonly #objects = new Map<string, StoredObject>()
  readonly #pages = new Map<string, number>()
  #domain: Domain | undefined
  #writes = 0

  /** `chunks` in all; a share of them, given in 1/1000, is needed by no backup. */
  constructor(chunks: number, unneededPerMille: number) {
    this.#chunks = chunks
    const perVolume = PAGES_PER_VOLUME * (PAGE_ENTRIES + 1)
    this.#volumes = Math.floor((chunks * (1 - unneededPerMille / 1000)) / perVolume)
    this.needed = this.#volumes * perVolume
  }

  get pages(): number {
    return this.#pages.size
  }

  /** The index pages of each backup, by name. */
  makePages(domain: Domain): string[][] {
    this.#domain = domain
    return Array.from({ length: this.#volumes * 2 }, (_, backup) =>
      Array.from({ length: PAGES_PER_VOLUME }, (_page, page) => {
        const number = backup * PAGES_PER_VOLUME + page
        const ref = { id: contentId(domain.keys, this.#page(number)), epoch: 1 }
        this.#pages.set(blobKey('page', domain.name, ref), number)
        return blobName(ref)
      }),
    )
  }

  async putIfAbsent(key: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    this.requests.write += 1
    if (this.#objects.has(key)) return 'exists'
    this.#write(key, bytes)
    return 'created'
  }

  async replace(key: string, bytes: Uint8Array, version: string): Promise<{ version: string } | 'conflict'> {
    this.requests.write += 1
    return this.#objects.get(key)?.version === version ? this.#write(key, bytes) : 'conflict'
  }

  async get(key: string): Promise<StoredObject | undefined> {
    this.requests.get += 1
    const page = this.#pages.get(key)
    const sealed = page === undefined ? undefined : this.#domain?.sealer.seal(key, this.#page(page))
    if (sealed !== undefined) return { bytes: sealed, version: '1' }
    const stored = this.#objects.get(key)
    return stored && { ...stored, bytes: Buffer.from(stored.bytes) }
  }

  async *list(prefix: string): AsyncGenerator<{ key: string; sizeBytes: number }> {
    let keys = 0
    for (const key of this.#keys(prefix)) {
      if (keys % LIST_PAGE_KEYS === 0) {
        this.requests.list += 1
        // As an answer from the network would: everybody else has a turn.
        await new Promise(setImmediate)
      }
      keys += 1
      yield { key, sizeBytes: this.#objects.get(key)?.bytes.byteLength ?? OBJECT_BYTES }
    }
    if (keys === 0) this.requests.list += 1
  }

  async delete(key: string): Promise<void> {
    this.requests.delete += 1
    this.#objects.delete(key)
  }

  async deleteMany(keys: readonly string[]): Promise<{ locked: string[] }> {
    this.requests.delete += 1
    for (const key of keys) {
      const chunk = numberOf(key.slice(key.lastIndexOf('/') + 1))
      if (!key.includes('/c/') || chunk < this.needed || chunk >= this.#chunks)
        throw new Error(`Expected only what no backup needs to be deleted, got ${key}`)
    }
    this.deleted += keys.length
    return { locked: [] }
  }

  async close(): Promise<void> {}

  #write(key: string, bytes: Uint8Array): { version: string } {
    this.#writes += 1
    const version = `${this.#writes}`
    this.#objects.set(key, { bytes: Buffer.from(bytes), version })
    return { version }
  }

  *#keys(prefix: string): Generator<string> {
    const folder = `d/${this.#domain?.name}/c/`
    if (prefix.startsWith(folder)) {
      const digits = prefix.slice(folder.length)
      const first = Number.parseInt(digits.padEnd(2, '0'), 16)
      const last = Number.parseInt(digits.padEnd(2, 'f'), 16)
      for (let byte = first; byte <= last; byte += 1) {
        const under = `${folder}${byte.toString(16).padStart(2, '0')}/`
        for (let chunk = byte; chunk < this.#chunks; chunk += 256) yield `${under}${idOf(chunk)}.1`
      }
      return
    }
    for (const key of this.#pages.keys()) if (key.startsWith(prefix)) yield key
    for (const key of [...this.#objects.keys()]) if (key.startsWith(prefix)) yield key
  }

  /** The second backup of a volume has a chunk of its own in each page. */
  #page(number: number): Buffer {
    const backup = Math.floor(number / PAGES_PER_VOLUME)
    const volume = Math.floor(backup / 2)
    const pageOfVolume = number % PAGES_PER_VOLUME
    const first = volume * PAGES_PER_VOLUME * (PAGE_ENTRIES + 1) + pageOfVolume * (PAGE_ENTRIES + 1)
    const own = backup % 2 === 0 ? -1 : pageOfVolume
    const page = Buffer.alloc(PAGE_ENTRIES * ENTRY_BYTES)
    for (let slot = 0; slot < PAGE_ENTRIES; slot += 1) {
      const at = slot * ENTRY_BYTES
      writeId(page, at, slot === own ? first + PAGE_ENTRIES : first + slot)
      page.writeUInt32LE(1, at + 32)
      page.writeUInt32LE(OBJECT_BYTES, at + 36)
    }
    return page
  }
}

const id = Buffer.alloc(32)

function idOf(chunk: number): string {
  writeId(id, 0, chunk)
  return id.toString('hex')
}

/** Begins with the number, its lowest byte first, so that the chunks of a folder can be counted up; the rest looks random. */
function writeId(into: Buffer, at: number, chunk: number): void {
  into.writeUInt32LE(chunk, at)
  for (let word = 1, mixed = chunk; word < 8; word += 1) {
    mixed = Math.imul(mixed ^ (mixed >>> 15) ^ (word * 0x9e3779b9), 0x85ebca6b) ^ (mixed >>> 13)
    into.writeInt32LE(mixed, at + word * 4)
  }
}

function numberOf(name: string): number {
  return Buffer.from(name.slice(0, 8), 'hex').readUInt32LE(0)
}
