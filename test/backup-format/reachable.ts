/** What a repository's committed records need, found by reading the objects themselves. */
import { readPage } from '../../backup-format/blob.ts'
import { entriesOf } from '../../backup-format/entry.ts'
import { blobKey, parseBlobName } from '../../backup-format/names.ts'
import { type BackupRecord, listBackups } from '../../backup-format/record.ts'
import { listDomains, type Repository } from '../../backup-format/repository.ts'

/** Keys of all chunks and pages that committed records refer to. */
export async function reachableKeys(repository: Repository): Promise<Set<string>> {
  const keys = new Set<string>()
  for (const domain of await listDomains(repository)) {
    for (const record of await listBackups(repository, domain)) {
      if (record.state === 'committed')
        for (const key of await keysOfRecord(repository, record)) keys.add(key)
    }
  }
  return keys
}

export async function keysOfRecord(repository: Repository, record: BackupRecord): Promise<string[]> {
  const keys: string[] = []
  for (const name of record.pages ?? []) {
    const ref = name === null ? undefined : parseBlobName(name)
    if (name === null || ref === undefined) continue
    keys.push(blobKey('page', record.domain, ref))
    for (const entry of entriesOf(await readPage(repository, await repository.domain(record.domain), name))) {
      if (entry !== undefined) keys.push(blobKey('chunk', record.domain, entry))
    }
  }
  return keys
}

/** The bytes of a committed backup. */
export async function contentOf(repository: Repository, record: BackupRecord): Promise<Buffer> {
  const domain = await repository.domain(record.domain)
  const content = Buffer.alloc(record.sizeBytes)
  for (const [page, name] of (record.pages ?? []).entries()) {
    if (name === null) continue
    for (const [slot, entry] of [...entriesOf(await readPage(repository, domain, name))].entries()) {
      if (entry === undefined) continue
      const key = blobKey('chunk', domain.name, entry)
      const stored = await repository.target.get(key)
      if (stored === undefined) throw new Error(`Expected ${key}, it is missing`)
      const offset = (page * repository.pageEntries + slot) * repository.chunkBytes
      domain.sealer.open('chunk', key, stored.bytes).copy(content, offset)
    }
  }
  return content
}
