import { readPage } from './blob.ts'
import { ENTRY_BYTES, type Entry, entriesOf } from './entry.ts'
import { DriverError } from '../domain/errors.ts'
import { chunkCount } from './geometry.ts'
import type { BackupRecord } from './record.ts'
import type { Repository } from './repository.ts'

/** One chunk with data, or a run of chunks of zeroes. */
export interface RestorePart {
  readonly chunk: number
  readonly count: number
  readonly entry: Entry | undefined
}

/** The parts of a backup from a chunk on, in order. */
export async function* restoreParts(
  repository: Repository,
  record: BackupRecord & { pages: readonly (string | null)[] },
  fromChunk: number,
  signal: AbortSignal,
): AsyncGenerator<RestorePart> {
  const { pageEntries, chunkBytes } = repository
  const chunks = chunkCount(chunkBytes, record.sizeBytes)
  for (let page = Math.floor(fromChunk / pageEntries); page * pageEntries < chunks; page += 1) {
    const first = page * pageEntries
    const length = Math.min(pageEntries, chunks - first)
    const entries = await readEntries(repository, record, page, length, signal)
    yield* partsOf(entries, first, Math.max(0, fromChunk - first))
  }
}

async function readEntries(
  repository: Repository,
  record: BackupRecord & { pages: readonly (string | null)[] },
  page: number,
  length: number,
  signal: AbortSignal,
): Promise<(Entry | undefined)[]> {
  const name = record.pages[page]
  if (name === null) return Array.from({ length }, () => undefined)
  const bytes =
    name === undefined
      ? undefined
      : await readPage(repository, await repository.domain(record.domain), name, signal)
  if (bytes?.byteLength === length * ENTRY_BYTES) return [...entriesOf(bytes)]
  throw new DriverError(
    'corrupt',
    `Expected record ${record.backupId} to name an index page of ${length} entries for page ${page}, it does not`,
  )
}

function* partsOf(entries: (Entry | undefined)[], first: number, from: number): Generator<RestorePart> {
  for (let slot = from; slot < entries.length;) {
    const entry = entries[slot]
    let count = 1
    if (entry === undefined) {
      while (slot + count < entries.length && entries[slot + count] === undefined) count += 1
    }
    yield { chunk: first + slot, count, entry }
    slot += count
  }
}
