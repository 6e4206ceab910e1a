/** What a lost index page may have said of chunks whose ids are known. */
import pMap from 'p-map'
import { LIMITS } from '../domain/limits.ts'
import { readUnlessDamaged } from './blob.ts'
import { type Entry, ENTRY_BYTES, readEntry } from './entry.ts'
import { blobKey, type BlobRef, blobName, parseBlobName } from './names.ts'
import { eachRecord } from './record.ts'
import type { Domain, Repository } from './repository.ts'

export interface LostPage {
  readonly page: number
  readonly ref: BlobRef
  /** Of its chunks, in their order; undefined: zeroes. */
  readonly ids: readonly (string | undefined)[]
  readonly signal: AbortSignal
}

/**
 * For each chunk what an entry may have been, the likeliest first: what the same page of other backups says, and what objects there are.
 * None: no such object is known.
 */
export async function possibleEntries(
  repository: Repository,
  domain: Domain,
  lost: LostPage,
): Promise<(Entry | undefined)[][]> {
  const told = await toldByOthers(repository, domain, lost)
  const look = async (id: string | undefined): Promise<(Entry | undefined)[]> => {
    if (id === undefined) return [undefined]
    const entries = [...(told.get(id) ?? []), ...(await stored(repository, domain, id))]
    const byName = new Map(entries.map((entry) => [`${entry.epoch} ${entry.objectBytes}`, entry]))
    // A page has no entry that is younger than itself.
    return [...byName.values()].filter(({ epoch }) => epoch <= lost.ref.epoch)
  }
  return pMap(lost.ids, look, { concurrency: LIMITS.targetRequests, signal: lost.signal })
}

async function toldByOthers(
  repository: Repository,
  domain: Domain,
  { page, ref, ids, signal }: LostPage,
): Promise<Map<string, Entry[]>> {
  const told = new Map<string, Entry[]>(ids.flatMap((id) => (id === undefined ? [] : [[id, []]])))
  const seen = new Set([blobName(ref)])
  await eachRecord(
    repository,
    domain.name,
    async ({ value }) => {
      const name = value.state === 'committed' ? value.pages?.[page] : undefined
      if (name === undefined || name === null || seen.has(name)) return
      seen.add(name)
      const bytes = await readUnlessDamaged(repository, domain, name, signal)
      if (bytes === 'damaged') return
      for (let slot = 0; slot < bytes.byteLength / ENTRY_BYTES; slot += 1) {
        const entry = readEntry(bytes, slot)
        if (entry !== undefined) told.get(entry.id)?.push(entry)
      }
    },
    signal,
  )
  return told
}

async function stored({ target }: Repository, domain: Domain, id: string): Promise<Entry[]> {
  const entries: Entry[] = []
  for await (const { key, sizeBytes } of target.list(
    blobKey('chunk', domain.name, { id, epoch: 0 }).slice(0, -1),
  )) {
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    if (ref !== undefined) entries.push({ ...ref, objectBytes: sizeBytes })
  }
  return entries
}
