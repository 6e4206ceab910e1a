/**
 * A backup's `_sha256file`: the hash of every block of the volume, also of those that an earlier backup stores. It has 2.3 GiB for a
 * volume of 1 TiB, so it is never held as a whole: Cinder writes a line of fixed length for each block, and we read the lines we need.
 */
import { Readable } from 'node:stream'
import { z } from 'zod'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { KiB } from '../../domain/sizes.ts'
import { type BackupLocation, sha256Key } from '../../domain/cinder-names.ts'
import { readObject } from './read-object.ts'
import type { CinderStore, StoreBody } from './store.ts'

export const SHA256_BYTES = 32
/** Cinder's default. An incremental backup needs that its parent has the same. */
export const SHA_BLOCK_BYTES = 32 * KiB

const LIST = '"sha256s": ['
/** The last one has no comma, and is followed by the end of the list. */
const LINE = /^ {4}"([0-9a-f]{64})"(?:,\n|\n )$/
const LINE_BYTES = 72
const END = '\n  ]'

/** A plain value, for threads. */
export interface Sha256Index {
  readonly key: string
  readonly blockBytes: number
  readonly blocks: number
  /** Where the line of the first block begins. */
  readonly firstLine: number
}

const header = z.looseObject({ chunk_size: z.int().min(512).max(LIMITS.cinderShaBlockMaxBytes) })

/**
 * Undefined: the backup has none (those of Cinder before 2015). Anything else than a hash for each block of the volume: `corrupt`.
 * `sizeBytes` is the volume's.
 */
export async function openSha256File(
  store: CinderStore,
  location: BackupLocation,
  sizeBytes: number,
): Promise<Sha256Index | undefined> {
  const key = sha256Key(location)
  const head = await readObject(store, key, {
    range: [0, LIMITS.cinderHeadBytes],
    maxBytes: LIMITS.cinderHeadBytes,
  })
  if (head === undefined) return undefined
  const list = head.indexOf(LIST)
  const parsed = list < 0 ? undefined : header.safeParse(parse(`${head.toString('utf8', 0, list)}${LIST}]}`))
  if (parsed?.success !== true) throw broken(key, 'it does not begin as Cinder writes it')
  const blockBytes = parsed.data.chunk_size
  const blocks = Math.ceil(sizeBytes / blockBytes)
  const firstLine = list + LIST.length + 1
  const end = firstLine + blocks * LINE_BYTES - 2
  const tail = await readObject(store, key, { range: [end, end + END.length], maxBytes: END.length })
  if (tail?.toString() !== END) throw broken(key, `it has not one hash for each of ${blocks} blocks`)
  return { key, blockBytes, blocks, firstLine }
}

/** The hashes of blocks, in hex. Keeps the pages it read last. */
export function createSha256Reader(store: CinderStore, index: Sha256Index) {
  const pages = new Map<number, Promise<string[]>>()
  const page = (number: number): Promise<string[]> => {
    const known = pages.get(number) ?? readHashes(store, index, number * LIMITS.cinderShaPageBlocks)
    pages.delete(number)
    pages.set(number, known)
    const [oldest] = pages.keys()
    if (pages.size > LIMITS.cinderShaPages && oldest !== undefined) pages.delete(oldest)
    return known
  }
  return async (block: number): Promise<string> => {
    const number = Math.floor(block / LIMITS.cinderShaPageBlocks)
    const hex = (await page(number))[block - number * LIMITS.cinderShaPageBlocks]
    if (hex === undefined) throw broken(index.key, `it has no hash of block ${block}`)
    return hex
  }
}

/** In hex, of a page of blocks from `first` on; behind the last block: none. A line that is no hash: `corrupt`. */
export async function readHashes(store: CinderStore, index: Sha256Index, first: number): Promise<string[]> {
  const count = Math.min(LIMITS.cinderShaPageBlocks, index.blocks - first)
  if (count <= 0) return []
  const from = index.firstLine + first * LINE_BYTES
  const range = [from, from + count * LINE_BYTES] as const
  const bytes = await readObject(store, index.key, { range, maxBytes: count * LINE_BYTES })
  if (bytes === undefined) throw broken(index.key, 'it is gone')
  const text = bytes.toString('latin1')
  return Array.from({ length: count }, (_, at) => {
    const hex = LINE.exec(text.slice(at * LINE_BYTES, (at + 1) * LINE_BYTES))?.[1]
    if (hex === undefined) throw broken(index.key, `it has no hash of block ${first + at}`)
    return hex
  })
}

/** `digests` gives the raw hashes of all blocks, in order, each time it is called. */
export function sha256FileBody(
  about: Readonly<Record<string, unknown>>,
  blocks: number,
  digests: () => AsyncIterable<Buffer>,
): StoreBody {
  // Sorted as Python sorts them, which puts `version` and `volume_id` behind the list.
  const whole = JSON.stringify(
    { ...about, sha256s: [], version: '1.0.0', volume_id: about.volume_id },
    undefined,
    2,
  )
  const [before = '', after = ''] = whole.split(`${LIST}]`)
  const open = () => Readable.from(lines(`${before}${LIST}\n`, `${END.slice(1)}${after}`, digests))
  const sizeBytes =
    Buffer.byteLength(before) + LIST.length + 1 + blocks * LINE_BYTES - 1 + 3 + Buffer.byteLength(after)
  return { sizeBytes, open }
}

async function* lines(
  before: string,
  after: string,
  digests: () => AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield Buffer.from(before)
  let separator = ''
  for await (const packed of digests()) {
    let text = ''
    for (let at = 0; at < packed.length; at += SHA256_BYTES) {
      text += `${separator}    "${packed.toString('hex', at, at + SHA256_BYTES)}"`
      separator = ',\n'
    }
    yield Buffer.from(text)
  }
  yield Buffer.from(`\n${after}`)
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function broken(key: string, found: string): DriverError {
  return new DriverError('corrupt', `Expected ${key} to be as Cinder writes it, but ${found}`)
}
