/** A committed backup as something with bytes at offsets, to be copied elsewhere or to heal another one. */
import type { BlockReader, Extent } from '../block-io/device.ts'
import { appendExtent } from '../block-io/extents.ts'
import { DriverError } from '../domain/errors.ts'
import { createChunkFetch } from './chunk-fetch.ts'
import { ENTRY_BYTES, type Entry, readEntry } from './entry.ts'
import { createSealer } from './envelope.ts'
import { chunkCount, chunkLength } from './geometry.ts'
import { contentId, type SealingKeys } from './keys.ts'
import { blobKey, blobName, parseBlobName } from './names.ts'
import { readCommitted } from './record.ts'
import { release } from './release.ts'
import type { Repository } from './repository.ts'
import type { BackupTarget } from './target.ts'
import { openThreadTarget, type ThreadTarget } from './thread-target.ts'

/** What a thread needs to read a backup: a plain value. */
export interface BackupSource {
  readonly kind: 'backup'
  readonly from: ThreadTarget
  readonly layout: BackupLayout
}

export interface BackupLayout {
  readonly domain: string
  readonly keys: SealingKeys
  readonly sizeBytes: number
  readonly chunkBytes: number
  readonly pageEntries: number
  readonly pages: readonly (string | null)[]
}

export async function layoutOf(
  repository: Repository,
  { domain, backupId }: { domain: string; backupId: string },
): Promise<BackupLayout> {
  const { sizeBytes, pages } = await readCommitted(repository, domain, backupId)
  const { keys } = await repository.domain(domain)
  const { chunkBytes, pageEntries } = repository
  return { domain, keys, sizeBytes, chunkBytes, pageEntries, pages }
}

export async function openBackupSource({ from, layout }: BackupSource): Promise<BlockReader> {
  const target = await openThreadTarget(from)
  return new BackupReader(target, layout, () => target.close())
}

/** Reads are fastest by whole chunks. Damage: DriverError `corrupt` that names the object. */
export class BackupReader implements BlockReader {
  readonly sizeBytes: number
  readonly #layout: BackupLayout
  readonly #target: BackupTarget
  readonly #close: () => Promise<void>
  readonly #fetch: ReturnType<typeof createChunkFetch>
  readonly #signal = new AbortController().signal
  /** The index page that was used last: reads go forward. */
  #page: { readonly number: number; readonly bytes: Promise<Buffer | undefined> } | undefined

  constructor(target: BackupTarget, layout: BackupLayout, close = async () => {}) {
    this.sizeBytes = layout.sizeBytes
    this.#layout = layout
    this.#target = target
    this.#close = close
    this.#fetch = createChunkFetch(target, layout)
  }

  async read(buffer: Uint8Array, offset: number): Promise<void> {
    const { chunkBytes } = this.#layout
    for (let filled = 0; filled < buffer.length;) {
      const at = offset + filled
      const chunk = Math.floor(at / chunkBytes)
      const within = at - chunk * chunkBytes
      const piece = buffer.subarray(filled, filled + chunkBytes - within)
      await this.#readChunk(chunk, within, piece)
      filled += piece.length
    }
  }

  async extents(offset: number, length: number): Promise<Extent[]> {
    const { chunkBytes } = this.#layout
    const extents: Extent[] = []
    for (let at = offset; at < offset + length;) {
      const chunk = Math.floor(at / chunkBytes)
      const end = Math.min((chunk + 1) * chunkBytes, offset + length)
      const kind = (await this.entry(chunk)) === undefined ? 'zero' : 'data'
      appendExtent(extents, { offset: at, length: end - at, kind })
      at = end
    }
    return extents
  }

  /** Undefined: zeroes. */
  async entry(chunk: number): Promise<Entry | undefined> {
    const { pageEntries } = this.#layout
    const number = Math.floor(chunk / pageEntries)
    if (this.#page?.number !== number) this.#page = { number, bytes: this.#readPage(number) }
    const bytes = await this.#page.bytes
    return bytes === undefined ? undefined : readEntry(bytes, chunk % pageEntries)
  }

  close(): Promise<void> {
    return this.#close()
  }

  async #readChunk(chunk: number, within: number, into: Uint8Array): Promise<void> {
    const { domain, chunkBytes, sizeBytes } = this.#layout
    const entry = await this.entry(chunk)
    if (entry === undefined) {
      into.fill(0)
      return
    }
    const fetched = await this.#fetch(entry, chunkLength(chunk, chunkBytes, sizeBytes), this.#signal)
    if (typeof fetched === 'string')
      throw new DriverError(
        'corrupt',
        `Expected chunk ${blobKey('chunk', domain, entry)} to be whole, it is ${fetched}`,
      )
    fetched.copy(into, 0, within, within + into.length)
    release(fetched)
  }

  async #readPage(number: number): Promise<Buffer | undefined> {
    const { domain, keys, pages, pageEntries, chunkBytes, sizeBytes } = this.#layout
    const name = pages[number]
    if (name === null) return undefined
    const ref = parseBlobName(name ?? '')
    if (ref === undefined)
      throw new DriverError('corrupt', `Expected a name of index page ${number}, got ${name}`)
    const key = blobKey('page', domain, ref)
    const stored = await this.#target.get(key)
    if (stored === undefined) throw new DriverError('corrupt', `Expected index page ${key}, it is missing`)
    const bytes = createSealer(keys).open('index page', key, stored.bytes)
    const length =
      Math.min(pageEntries, chunkCount(chunkBytes, sizeBytes) - number * pageEntries) * ENTRY_BYTES
    if (contentId(keys, bytes) === ref.id && bytes.byteLength === length) return bytes
    throw new DriverError(
      'corrupt',
      `Expected index page ${blobName(ref)} to hold what its name says, it does not`,
    )
  }
}
