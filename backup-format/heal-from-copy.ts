/**
 * Damaged objects of a backup, stored anew from a copy of the backup in another repository. It needs no trust in the copy: bytes count
 * only when they have the very id that the damaged object has.
 */
import pMap from 'p-map'
import type { BlockReader } from '../block-io/device.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Entry, ENTRY_BYTES, writeEntry } from './entry.ts'
import { chunkCount, chunkLength } from './geometry.ts'
import { contentId } from './keys.ts'
import type { BlobKind, BlobRef } from './names.ts'
import { possibleEntries } from './possible-entries.ts'
import { heal } from './quarantine.ts'
import type { BackupRecord } from './record.ts'
import { release } from './release.ts'
import type { Domain, Repository } from './repository.ts'

/** A page that could have been written in more ways than this is given up; nearly always there is one. */
const GUESSES_MAX = 4096

export interface CopyContext {
  readonly repository: Repository
  readonly domain: Domain
  readonly record: Pick<BackupRecord, 'backupId' | 'sizeBytes'>
  readonly copy: BlockReader
  readonly signal: AbortSignal
  /** Before, and after, so many bytes of the copy are read. */
  readonly pace: (bytes: number) => Promise<void>
  readonly onRead: (bytes: number) => void
}

/** False: the copy has other bytes there, or is damaged, too. */
export async function healChunk(context: CopyContext, chunk: number, entry: Entry): Promise<boolean> {
  const plain = await readChunk(context, chunk)
  if (plain === undefined) return false
  const isSame = contentId(context.domain.keys, plain) === entry.id
  if (isSame) await store(context, 'chunk', entry, plain)
  release(plain)
  return isSame
}

/**
 * Puts the page together from the ids of the copy's chunks and what is known of the objects with these ids; its own id says whether that
 * was right. Undefined: it was not.
 */
export async function healPage(
  context: CopyContext,
  page: number,
  ref: BlobRef,
): Promise<Buffer | undefined> {
  const { repository, domain, record } = context
  const { pageEntries, chunkBytes } = repository
  const first = page * pageEntries
  const length = Math.min(pageEntries, chunkCount(chunkBytes, record.sizeBytes) - first)
  const chunks = Array.from({ length }, (_, slot) => first + slot)
  const identify = (chunk: number) => idOf(context, chunk)
  const ids = await pMap(chunks, identify, { concurrency: LIMITS.chunksPerThread, signal: context.signal })
  const possible = await possibleEntries(repository, domain, { page, ids, ref, signal: context.signal })
  const bytes = Buffer.alloc(length * ENTRY_BYTES)
  for (const entries of guesses(possible)) {
    entries.forEach((entry, slot) => writeEntry(bytes, slot, entry))
    if (contentId(domain.keys, bytes) !== ref.id) continue
    await store(context, 'page', ref, bytes)
    return bytes
  }
  return undefined
}

async function store(
  { repository, domain }: CopyContext,
  kind: BlobKind,
  { id, epoch }: BlobRef,
  plain: Buffer,
): Promise<void> {
  const only = { chunk: new Map(), page: new Map(), [kind]: new Map([[id, [epoch]]]) }
  const healer = { target: repository.target, domain: domain.name, sealer: domain.sealer }
  await heal(healer, only, { kind, id, plain })
}

/** `unknown`: the copy is damaged there. Undefined: zeroes, which have no object. */
async function idOf(context: CopyContext, chunk: number): Promise<string | undefined> {
  const plain = await readChunk(context, chunk)
  if (plain === undefined) return 'unknown'
  const isZero = plain.every((byte) => byte === 0)
  const id = isZero ? undefined : contentId(context.domain.keys, plain)
  release(plain)
  return id
}

async function readChunk(
  { repository, record, copy, signal, pace, onRead }: CopyContext,
  chunk: number,
): Promise<Buffer | undefined> {
  signal.throwIfAborted()
  if (copy.sizeBytes !== record.sizeBytes) return undefined
  const { chunkBytes } = repository
  const plain = Buffer.allocUnsafeSlow(chunkLength(chunk, chunkBytes, record.sizeBytes))
  await pace(plain.byteLength)
  try {
    await copy.read(plain, chunk * chunkBytes)
  } catch (error) {
    if (error instanceof DriverError && error.kind === 'corrupt') return undefined
    throw error
  }
  onRead(plain.byteLength)
  return plain
}

/** One entry of each, in all ways. */
function* guesses(possible: readonly (readonly (Entry | undefined)[])[]): Generator<(Entry | undefined)[]> {
  const ways = possible.reduce((product, { length }) => Math.min(product * length, GUESSES_MAX), 1)
  for (let way = 0; way < ways; way += 1) {
    let rest = way
    yield possible.map((entries) => {
      const chosen = entries[rest % entries.length]
      rest = Math.floor(rest / entries.length)
      return chosen
    })
  }
}
