/** Finds what no backup needs, in memory that does not grow with the target. */
import { join } from 'node:path'
import pMap from 'p-map'
import { LIMITS } from '../domain/limits.ts'
import { addTallies, NOTHING, type Tally, tallyOf } from './accounts.ts'
import type { CollectRequest } from './collect-request.ts'
import type { CondemnedBlob } from './condemned.ts'
import type { KeySet } from './key-set.ts'
import { MarkSet } from './mark-set.ts'
import { type Marker, markReachable } from './mark.ts'
import { type BlobKind, blobsPrefix, parseBlobName } from './names.ts'
import { quarantinedBlobs, readQuarantined } from './quarantine.ts'
import { listDomains, type Repository } from './repository.ts'

export interface Survey {
  /** Chunks and index pages in the target. */
  readonly found: Tally
  /** Of these, what no backup needs. */
  readonly unneeded: Tally
}

/**
 * Marks what records need, lists what there is, and hands out the difference in batches that fit into a list. An open backup that is
 * `isAbandoned` needs nothing.
 */
export async function survey(
  repository: Repository,
  request: CollectRequest,
  isAbandoned: Marker['isAbandoned'],
  condemn: (domain: string, blobs: readonly CondemnedBlob[]) => Promise<void>,
): Promise<Survey> {
  let found = NOTHING
  let unneeded = NOTHING
  const tell = (page: ListedPage) => {
    found = addTallies(found, page.found)
    unneeded = addTallies(unneeded, tallyOf(page.unneeded))
    request.onProgress?.({ phase: 'listing', doneBytes: found.bytes, totalBytes: 0 })
  }
  for (const domain of await listDomains(repository)) {
    const { spillFolder } = request
    const marks = new MarkSet(spillFolder === undefined ? undefined : join(spillFolder, domain))
    try {
      await mark(repository, domain, request, isAbandoned, marks)
      const lost = await markedBlobs(repository, domain)
      const listShard = async (shard: string) => {
        const needed = marks.load(shard)
        for (const kind of ['chunk', 'page'] satisfies BlobKind[]) {
          for await (const page of list(repository, { domain, kind, shard, needed }, request.signal)) {
            tell(page)
            if (lost.size > 0) for (const blob of page.unneeded) lost.delete(nameOf(blob))
            if (page.unneeded.length > 0) await condemn(domain, page.unneeded)
          }
        }
        const unneeded = [...lost.values()].filter((blob) => blob.id.startsWith(shard) && !needed.has(blob))
        if (unneeded.length > 0) await condemn(domain, unneeded)
      }
      await pMap(marks.shards(), listShard, { concurrency: LIMITS.shardsInWork })
    } finally {
      marks.close()
    }
  }
  return { found, unneeded }
}

async function mark(
  repository: Repository,
  domain: string,
  { signal, onProgress }: CollectRequest,
  isAbandoned: Marker['isAbandoned'],
  marks: MarkSet,
): Promise<void> {
  let doneBytes = 0
  const marker: Marker = {
    page: (ref, entries) => {
      marks.add(ref)
      marks.addEntries(entries)
      doneBytes += entries.byteLength
      onProgress?.({ phase: 'marking', doneBytes, totalBytes: 0 })
    },
    chunk: (ref) => marks.add(ref),
    ...(isAbandoned && { isAbandoned }),
  }
  await markReachable(repository, domain, marker, signal)
}

/**
 * A marker stands for its object, also where that is lost: it is condemned, and goes, by the same rules. Taken away by any other, it
 * could be one that a backup needs which was committed meanwhile, and that a verification has just found there.
 */
async function markedBlobs(repository: Repository, domain: string): Promise<Map<string, CondemnedBlob>> {
  const blobs = quarantinedBlobs(await readQuarantined(repository, domain))
  return new Map([...blobs].map((blob) => [nameOf(blob), { ...blob, sizeBytes: 0 }]))
}

function nameOf({ kind, id, epoch }: Omit<CondemnedBlob, 'sizeBytes'>): string {
  return `${kind} ${id}.${epoch}`
}

interface Shard {
  readonly domain: string
  readonly kind: BlobKind
  readonly shard: string
  readonly needed: KeySet
}

interface ListedPage {
  readonly found: Tally
  readonly unneeded: CondemnedBlob[]
}

async function* list(
  repository: Repository,
  { domain, kind, shard, needed }: Shard,
  signal: AbortSignal | undefined,
): AsyncGenerator<ListedPage> {
  const folder = blobsPrefix(kind, domain)
  // Objects lie in folders named after the first two digits of their ids.
  const prefix = `${folder}${shard}`
  let objects = 0
  let bytes = 0
  let unneeded: CondemnedBlob[] = []
  for await (const { key, sizeBytes } of repository.target.list(prefix)) {
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    if (ref === undefined) continue
    objects += 1
    bytes += sizeBytes
    if (!needed.has(ref)) unneeded.push({ ...ref, kind, sizeBytes })
    if (unneeded.length < LIMITS.condemnedListItems && objects < LIMITS.condemnedListItems) continue
    signal?.throwIfAborted()
    yield { found: { objects, bytes }, unneeded }
    objects = 0
    bytes = 0
    unneeded = []
  }
  signal?.throwIfAborted()
  yield { found: { objects, bytes }, unneeded }
}
