import { pageRef, readUnlessDamaged } from './blob.ts'
import { touchedChunks } from './touched-chunks.ts'
import { type Entry, ENTRY_BYTES, readEntry } from './entry.ts'
import { chunkLength } from './geometry.ts'
import { blobName } from './names.ts'
import type { OpenUpload } from './open-upload.ts'
import { isQuarantined, quarantine } from './quarantine.ts'
import { readRecord } from './record.ts'
import type { Repository } from './repository.ts'
import type { UploadRequest } from './upload-request.ts'

/** What the parent knows about the chunks of one index page. */
export interface ParentPage {
  /** Usable again if the chunk still has this id. */
  entry(chunk: number): Entry | undefined
  /** The name of the parent's own page, if it has this id and may be used again. */
  name(id: string): string | undefined
  /** The chunk is certainly the same as in the parent: its entry, or `zero`. Undefined: it must be read. */
  unchanged(chunk: number): Entry | 'zero' | undefined
}

export interface Parent {
  page(page: number): Promise<ParentPage>
}

const NO_PAGE: ParentPage = { entry: () => undefined, name: () => undefined, unchanged: () => undefined }

/**
 * The parent of an incremental backup. Must be called after the upload was opened: from then on the collector keeps everything that
 * a committed record refers to. A parent that is gone costs speed, nothing else.
 */
export async function openParent(
  repository: Repository,
  request: UploadRequest,
  { condemned, quarantined }: Pick<OpenUpload, 'condemned' | 'quarantined'>,
): Promise<Parent> {
  const { domain: domainName, parentBackupId, changedRanges = 'unknown', sizeBytes } = request
  const record =
    parentBackupId === undefined
      ? undefined
      : (await readRecord(repository, domainName, parentBackupId))?.value
  if (record?.state !== 'committed' || record.pages === null) return { page: async () => NO_PAGE }
  const { pages } = record
  const domain = await repository.domain(domainName)
  const { chunkBytes, pageEntries } = repository
  const changed = changedRanges === 'unknown' ? () => true : touchedChunks(changedRanges, chunkBytes)
  /** The chunk with the parent's end is another one once the volume has grown. */
  const comparable = (chunk: number) =>
    chunkLength(chunk, chunkBytes, record.sizeBytes) === chunkLength(chunk, chunkBytes, sizeBytes)

  const page = async (number: number): Promise<ParentPage> => {
    const name = pages[number]
    if (name === undefined) return NO_PAGE
    const ref = name === null ? undefined : pageRef(domain, name)
    // It may vanish at any moment.
    if (ref !== undefined && condemned.has(ref)) return NO_PAGE
    const bytes =
      name === null ? undefined : await readUnlessDamaged(repository, domain, name, request.signal)
    if (bytes === 'damaged') {
      // The page that this upload writes may well have the same name: it must replace the damaged one.
      if (ref !== undefined) await quarantine(repository, domainName, { kind: 'page', ref }, quarantined)
      return NO_PAGE
    }
    const entry = (chunk: number) => {
      const slot = chunk % pageEntries
      return bytes === undefined || (slot + 1) * ENTRY_BYTES > bytes.byteLength
        ? undefined
        : readEntry(bytes, slot)
    }
    const usable = (chunk: number) => {
      const found = entry(chunk)
      return found === undefined || condemned.has(found) ? undefined : found
    }
    return {
      entry: usable,
      name: (id) => (ref?.id === id ? blobName(ref) : undefined),
      unchanged: (chunk) => {
        if (!comparable(chunk) || changed(chunk)) return undefined
        const found = entry(chunk)
        if (found === undefined) return 'zero'
        return isQuarantined(quarantined, 'chunk', found) ? undefined : usable(chunk)
      },
    }
  }
  return { page }
}
