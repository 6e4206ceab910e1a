/** `--deep`: every chunk that a committed record names is in the target. Lists chunks, and reads index pages alone. */
import { readPage } from '../../../backup-format/blob.ts'
import { type Entry, entriesOf } from '../../../backup-format/entry.ts'
import { KeySet } from '../../../backup-format/key-set.ts'
import { blobKey, blobsPrefix, parseBlobName } from '../../../backup-format/names.ts'
import { listDomains, type Repository } from '../../../backup-format/repository.ts'
import { DriverError } from '../../../domain/errors.ts'
import type { FsckContext } from '../context.ts'
import type { Check, Finding } from '../finding.ts'
import { everyRecord, type FoundRecord } from '../records.ts'

export function chunkChecks(context: FsckContext): Check[] {
  return context.targets.flatMap(({ name, repository }) =>
    repository === undefined
      ? []
      : [{ name: `chunks in target ${name}`, find: () => findMissing(context, name, repository) }],
  )
}

async function* findMissing(
  context: FsckContext,
  name: string,
  repository: Repository,
): AsyncGenerator<Finding> {
  const present = new Map<string, KeySet>()
  for (const domain of await listDomains(repository)) {
    present.set(domain, await chunksOf(context, name, repository, domain))
  }
  let seen = 0
  for await (const found of everyRecord(repository)) {
    context.progress(`backups in target ${name}`, ++seen)
    const problem = await missingIn(repository, found, present.get(found.domain) ?? new KeySet())
    if (problem === undefined) continue
    yield {
      code: 'chunk-missing',
      where: `target ${name}`,
      what: `backup ${found.backupId}`,
      explanation: problem,
      next: 'It cannot be restored completely. Make another full backup of the volume, then volflow backup delete this one.',
    }
  }
}

/** Some 32 bytes of memory for each chunk: 8 MiB for 1 TiB of data. */
async function chunksOf(
  context: FsckContext,
  name: string,
  repository: Repository,
  domain: string,
): Promise<KeySet> {
  const chunks = new KeySet()
  for await (const { key } of repository.target.list(blobsPrefix('chunk', domain))) {
    const ref = parseBlobName(key.slice(key.lastIndexOf('/') + 1))
    if (ref !== undefined) chunks.add(ref)
    if (chunks.size % 1000 === 0) context.progress(`chunks in target ${name}`, chunks.size)
  }
  return chunks
}

async function missingIn(
  repository: Repository,
  { domain, record }: FoundRecord,
  present: KeySet,
): Promise<string | undefined> {
  if (record?.state !== 'committed') return undefined
  let first: Entry | undefined
  let count = 0
  try {
    for (const page of record.pages ?? []) {
      if (page === null) continue
      for (const entry of entriesOf(await readPage(repository, await repository.domain(domain), page))) {
        if (entry === undefined || present.has(entry)) continue
        // It may have come after the list.
        if (await exists(repository, blobKey('chunk', domain, entry))) continue
        count += 1
        first ??= entry
      }
    }
  } catch (error) {
    if (!(error instanceof DriverError) || error.kind !== 'corrupt') throw error
    return `${error.message}.`
  }
  return first === undefined
    ? undefined
    : `${count} of its chunks are missing, among them ${blobKey('chunk', domain, first)}.`
}

async function exists(repository: Repository, key: string): Promise<boolean> {
  for await (const found of repository.target.list(key)) if (found.key === key) return true
  return false
}
