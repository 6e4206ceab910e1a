/** Index pages, read and written whole. (Chunks have their own path: chunk-upload.ts and chunk-download.ts.) */
import { DriverError } from '../domain/errors.ts'
import { ENTRY_BYTES } from './entry.ts'
import { contentId } from './keys.ts'
import { blobKey, type BlobRef, parseBlobName } from './names.ts'
import type { Domain, Repository } from './repository.ts'

/** A page as the record names it. */
export function pageRef(domain: Domain, name: string): BlobRef {
  const ref = parseBlobName(name)
  if (ref !== undefined) return ref
  throw new DriverError('corrupt', `Expected the record to name index pages of ${domain.name}, got ${name}`)
}

export async function readPage(
  repository: Repository,
  domain: Domain,
  name: string,
  signal?: AbortSignal,
): Promise<Buffer> {
  const ref = pageRef(domain, name)
  const key = blobKey('page', domain.name, ref)
  const stored = await repository.target.get(key, signal === undefined ? {} : { signal })
  if (stored === undefined) throw new DriverError('corrupt', `Expected index page ${key}, it is missing`)
  const page = domain.sealer.open('index page', key, stored.bytes)
  if (contentId(domain.keys, page) !== ref.id || page.byteLength % ENTRY_BYTES !== 0) {
    throw new DriverError(
      'corrupt',
      `Expected index page ${key} to hold the bytes that its name says, it does not`,
    )
  }
  return page
}

/** The same for whoever can do without it. */
export async function readUnlessDamaged(
  repository: Repository,
  domain: Domain,
  name: string,
  signal?: AbortSignal,
): Promise<Buffer | 'damaged'> {
  try {
    return await readPage(repository, domain, name, signal)
  } catch (error) {
    if (error instanceof DriverError && error.kind === 'corrupt') return 'damaged'
    throw error
  }
}

export async function writePage(
  repository: Repository,
  domain: Domain,
  ref: BlobRef,
  page: Buffer,
): Promise<void> {
  const key = blobKey('page', domain.name, ref)
  await repository.target.putIfAbsent(key, domain.sealer.seal(key, page))
}
