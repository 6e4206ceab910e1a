/**
 * What committed backups refer to, at any number: 16 bytes per reference in 256 buckets by the first byte of the id. What does not fit
 * into memory goes to one file per bucket. The same reference may be in it several times; a shard of it is loaded as a set.
 */
import { appendFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { LIMITS } from '../domain/limits.ts'
import { ENTRY_BYTES } from './entry.ts'
import { KeySet } from './key-set.ts'
import type { BlobRef } from './names.ts'

const BUCKETS = 256
const EMPTY = Buffer.alloc(0)
const ITEM_BYTES = 16
const ITEM_WORDS = ITEM_BYTES / 4
const BUCKET_MIN_BYTES = 16 * ITEM_BYTES
/** Shards of at most so many references are worked on at a time. */
const SHARD_ITEMS = [4096, 4_194_304]

export class MarkSet {
  readonly #spillFolder: string | undefined
  readonly #buckets = Array.from({ length: BUCKETS }, () => ({ bytes: EMPTY, used: 0 }))
  readonly #recent: RecentKeys = new RecentKeys()
  #bufferedBytes = 0
  #spilled = false
  #size = 0

  /** `spillFolder` is made when it is needed, and removed by `close`. Undefined: everything stays in memory. */
  constructor(spillFolder: string | undefined) {
    this.#spillFolder = spillFolder
  }

  get size(): number {
    return this.#size
  }

  add({ id, epoch }: BlobRef): void {
    this.#add(Buffer.from(id.slice(0, 24), 'hex'), 0, epoch)
  }

  /** Every chunk of an index page. */
  addEntries(page: Buffer): void {
    for (let at = 0; at + ENTRY_BYTES <= page.byteLength; at += ENTRY_BYTES) {
      const epoch = page.readUInt32LE(at + 32)
      if (epoch !== 0) this.#add(page, at, epoch)
    }
  }

  /** Prefixes of ids that divide all of it into shards small enough to be loaded. */
  shards(): string[] {
    const digits = SHARD_ITEMS.filter((items) => this.#size > items).length
    return Array.from({ length: 16 ** digits }, (_, shard) =>
      digits === 0 ? '' : shard.toString(16).padStart(digits, '0'),
    )
  }

  load(shard: string): KeySet {
    const keys = new KeySet()
    const from = Number.parseInt(shard.padEnd(2, '0'), 16)
    const to = Number.parseInt(shard.padEnd(2, 'f'), 16)
    for (let bucket = from; bucket <= to; bucket += 1) {
      if (this.#spilled) addItems(keys, this.#readSpilled(bucket))
      const { bytes, used } = this.#buckets[bucket] ?? { bytes: EMPTY, used: 0 }
      addItems(keys, bytes.subarray(0, used))
    }
    return keys
  }

  close(): void {
    if (this.#spilled && this.#spillFolder !== undefined)
      rmSync(this.#spillFolder, { recursive: true, force: true })
  }

  #add(id: Buffer, at: number, epoch: number): void {
    if (this.#recent.seen(id.readUInt32BE(at), id.readUInt32BE(at + 4), id.readUInt32BE(at + 8), epoch))
      return
    const bucket = this.#buckets[id[at] ?? 0]
    if (bucket === undefined) return
    if (bucket.used === bucket.bytes.byteLength) {
      const grown = Buffer.alloc(Math.max(BUCKET_MIN_BYTES, bucket.used * 2))
      bucket.bytes.copy(grown)
      this.#bufferedBytes += grown.byteLength - bucket.used
      bucket.bytes = grown
    }
    id.copy(bucket.bytes, bucket.used, at, at + 12)
    bucket.bytes.writeUInt32BE(epoch, bucket.used + 12)
    bucket.used += ITEM_BYTES
    this.#size += 1
    if (this.#bufferedBytes > LIMITS.markBufferBytes) this.#spill()
  }

  /** In the calling thread: it waits for nothing but the page cache, and nothing is lost with a crash that is not marked again. */
  #spill(): void {
    if (this.#spillFolder === undefined) return
    mkdirSync(this.#spillFolder, { recursive: true })
    for (const [number, bucket] of this.#buckets.entries()) {
      appendFileSync(this.#file(this.#spillFolder, number), bucket.bytes.subarray(0, bucket.used))
      bucket.bytes = EMPTY
      bucket.used = 0
    }
    this.#bufferedBytes = 0
    this.#spilled = true
  }

  #readSpilled(bucket: number): Buffer {
    return this.#spillFolder === undefined ? EMPTY : readFileSync(this.#file(this.#spillFolder, bucket))
  }

  #file(folder: string, bucket: number): string {
    return join(folder, `${bucket}`)
  }
}

function addItems(keys: KeySet, items: Buffer): void {
  for (let at = 0; at < items.byteLength; at += ITEM_BYTES) {
    keys.addWords(
      items.readUInt32BE(at),
      items.readUInt32BE(at + 4),
      items.readUInt32BE(at + 8),
      items.readUInt32BE(at + 12),
    )
  }
}

/** Backups of one volume refer to nearly the same chunks: what was added lately is not added again. It forgets as it likes. */
class RecentKeys {
  #words: Uint32Array | undefined

  seen(first: number, second: number, third: number, epoch: number): boolean {
    this.#words ??= new Uint32Array(LIMITS.markRecentItems * ITEM_WORDS)
    const words = this.#words
    const at = (second % LIMITS.markRecentItems) * ITEM_WORDS
    const same =
      words[at] === first && words[at + 1] === second && words[at + 2] === third && words[at + 3] === epoch
    if (same) return true
    words[at] = first
    words[at + 1] = second
    words[at + 2] = third
    words[at + 3] = epoch
    return false
  }
}
