/** Whether a target really holds what an upload wrote into it: some acknowledge what they then do not keep. */
import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { readPage, readUnlessDamaged } from './blob.ts'
import { type Entry, entriesOf } from './entry.ts'
import { blobKey, blobsPrefix } from './names.ts'
import { type BackupRecord, readRecord } from './record.ts'
import type { Domain, Repository } from './repository.ts'

/** Up to so many objects under one prefix are asked for one by one; for more, the prefix is listed. */
const SINGLE_LISTS_MAX = 4
/** What a target holds is listed whole while that is at most so many objects, or so many times what is looked for. */
const WHOLE_LIST_MAX = 1000
const WHOLE_LIST_FACTOR = 4

type Pages = readonly (string | null)[]

/**
 * What was there before this upload began, and what its parent refers to, is protected by records; the rest is looked for. A missing
 * object: DriverError `corrupt`.
 */
export async function checkPresence(
  repository: Repository,
  record: BackupRecord,
  pages: Pages,
  signal?: AbortSignal,
): Promise<void> {
  const domain = await repository.domain(record.domain)
  const parentPages = await pagesOfParent(repository, record)
  const known = new Set(parentPages)
  for (let first = 0; first < pages.length; first += LIMITS.presencePages) {
    const missing = new Set<string>()
    const collect = async (name: string | null, number: number) => {
      if (name === null || known.has(name)) return
      const before = await entriesOfPage(repository, domain, parentPages[first + number], signal)
      // To read a page is to find it.
      const entries = [...entriesOf(await readPage(repository, domain, name, signal))]
      for (const [slot, entry] of entries.entries()) {
        const isOld = entry === undefined || entry.epoch < record.openedEpoch || isSame(entry, before[slot])
        if (!isOld) missing.add(blobKey('chunk', domain.name, entry))
      }
    }
    await pMap(pages.slice(first, first + LIMITS.presencePages), collect, {
      concurrency: LIMITS.targetRequests,
      ...(signal && { signal }),
    })
    await findAll(repository, domain, missing, signal)
  }
}

/** None if it is not there any more. */
async function pagesOfParent(
  repository: Repository,
  { domain, parentBackupId }: BackupRecord,
): Promise<Pages> {
  if (parentBackupId === null) return []
  const parent = (await readRecord(repository, domain, parentBackupId))?.value
  return parent?.state === 'committed' ? (parent.pages ?? []) : []
}

async function entriesOfPage(
  repository: Repository,
  domain: Domain,
  name: string | null | undefined,
  signal?: AbortSignal,
): Promise<(Entry | undefined)[]> {
  if (name === null || name === undefined) return []
  const page = await readUnlessDamaged(repository, domain, name, signal)
  return page === 'damaged' ? [] : [...entriesOf(page)]
}

function isSame(entry: Entry, other: Entry | undefined): boolean {
  return entry.id === other?.id && entry.epoch === other.epoch
}

/** Takes what is found out of `missing`. Not all: DriverError `corrupt`. */
async function findAll(
  { target }: Repository,
  { name }: Domain,
  missing: Set<string>,
  signal?: AbortSignal,
): Promise<void> {
  const folder = blobsPrefix('chunk', name)
  if (missing.size === 0) return
  if (!(await listBriefly(target.list(folder), missing))) {
    const prefixes = Map.groupBy(missing, (key) => key.slice(0, folder.length + 2))
    const look = async ([prefix, keys]: [string, string[]]) => {
      for (const listed of keys.length > SINGLE_LISTS_MAX ? [prefix] : keys) {
        for await (const { key } of target.list(listed)) missing.delete(key)
      }
    }
    await pMap(prefixes, look, { concurrency: LIMITS.targetRequests, ...(signal && { signal }) })
  }
  const [one] = missing
  if (one === undefined) return
  throw new DriverError(
    'corrupt',
    `Expected the target to hold everything that was uploaded to ${name}, ${missing.size} chunks are missing, among them ${one}`,
  )
}

/** True when that is all there is to know. */
async function listBriefly(list: AsyncIterable<{ key: string }>, missing: Set<string>): Promise<boolean> {
  let left = Math.max(WHOLE_LIST_MAX, missing.size * WHOLE_LIST_FACTOR)
  for await (const { key } of list) {
    missing.delete(key)
    left -= 1
    if (missing.size === 0) return true
    if (left === 0) return false
  }
  return true
}
