/** Uploads a volume's bytes as one backup: everything but the commit. */
import pMap from 'p-map'
import type { BlockReader } from '../block-io/device.ts'
import { LIMITS } from '../domain/limits.ts'
import { createChunkUpload, type UploadedChunk, type UploadTask } from './chunk-upload.ts'
import { DEFAULT_COMPRESSION_LEVEL } from './envelope.ts'
import { type Executor, inlineExecutor, threadExecutor } from './executor.ts'
import { JournalWriter } from './journal.ts'
import { createLine } from './line.ts'
import { openUpload, overtaken } from './open-upload.ts'
import type { Quarantined } from './quarantine.ts'
import { type BackupTotals, replaceRecord } from './record.ts'
import type { Repository } from './repository.ts'
import { openParent } from './upload-parent.ts'
import { PageUpload } from './upload-page.ts'
import type { UploadRequest } from './upload-request.ts'
import { openUploadSource } from './upload-source.ts'
import type { UploadThreadData } from './upload-thread.ts'

export interface UploadResult {
  readonly totals: BackupTotals
  readonly redoneChunks: number
  /** Damaged objects that were stored anew on the way. */
  readonly healedObjects: number
}

/**
 * Opens the backup, or continues it, and uploads whatever the target does not hold yet. The backup stays open: `commitBackup` makes
 * it exist, `abortBackup` gives it up. May be repeated with a higher writer token after a crash at any point; it then repeats at
 * most LIMITS.journalChunks chunks or LIMITS.journalIntervalMs. Aborting leaves an upload that can be continued; nothing is
 * written any more once the promise has settled.
 */
export async function uploadBackup(repository: Repository, request: UploadRequest): Promise<UploadResult> {
  request.signal.throwIfAborted()
  const reader = await openUploadSource(request.source)
  try {
    return await uploadFrom(repository, request, reader)
  } finally {
    await reader.close()
  }
}

/** The same with a source that is open already; `request.source` is then for the threads alone. */
export async function uploadFrom(
  repository: Repository,
  request: UploadRequest,
  reader: BlockReader,
): Promise<UploadResult> {
  const opened = await openUpload(repository, request)
  const { record, parts } = opened
  const parent = await openParent(repository, request, opened)
  const executor = await startExecutor(repository, request, reader, opened.quarantined)
  const stop = new AbortController()
  const signal = AbortSignal.any([request.signal, stop.signal])
  // Uploads in work may be finished but not written down when the process dies: they are part of what is repeated.
  const { journalChunks = LIMITS.journalChunks } = request
  const journal = new JournalWriter(repository, record.value, parts, {
    chunksMax: journalChunks - executor.capacity,
    ...(request.onCheckpoint !== undefined && { onWritten: request.onCheckpoint }),
  })
  const inWork = createLine(LIMITS.pagesInWork)
  try {
    const pages = new PageUpload({ repository, request, opened, parent, reader, executor, journal, signal })
    const numbers = Array.from({ length: pages.count }, (_, page) => page)
    const upload = (page: number) => inWork.pass(() => pages.upload(page))
    const names = await pMap(numbers, upload, { concurrency: LIMITS.pagesInWork, signal })
    await journal.flush()
    const { totals, redoneChunks, healedObjects } = pages
    signal.throwIfAborted()
    const finished = await replaceRecord(
      repository,
      { ...record.value, pages: names, totals },
      record.version,
    )
    if (finished === undefined) throw overtaken(request.backupId)
    return { totals, redoneChunks, healedObjects }
  } finally {
    stop.abort()
    await executor.close()
    await journal.close()
    await inWork.empty()
  }
}

async function startExecutor(
  repository: Repository,
  request: UploadRequest,
  reader: BlockReader,
  quarantined: Quarantined,
): Promise<Executor<UploadTask, UploadedChunk>> {
  const { keys } = await repository.domain(request.domain)
  const { compressionLevel = DEFAULT_COMPRESSION_LEVEL } = request
  const setup = {
    ...{ domain: request.domain, keys, chunkBytes: repository.chunkBytes },
    ...{ compressionLevel, quarantined },
  }
  if (request.threads === undefined) {
    return inlineExecutor(createChunkUpload(reader, repository.target, setup), request.signal)
  }
  const { count, ...target } = request.threads
  const data: UploadThreadData = { target, source: request.source, setup }
  return threadExecutor('upload-thread', data, count)
}
