/** Writes a backup's bytes to a volume. */
import pMap from 'p-map'
import type { BlockReader, BlockWriter, DeviceSpec } from '../block-io/device.ts'
import { openReader } from '../block-io/reader.ts'
import { extentsFrom } from '../block-io/extents.ts'
import { openWriter } from '../block-io/writer.ts'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { createChunkDownload, type DownloadTask } from './chunk-download.ts'
import type { BackupRequest } from './commit.ts'
import { type Executor, inlineExecutor, threadExecutor } from './executor.ts'
import { chunkCount } from './geometry.ts'
import { keepFailing } from './keep-failing.ts'
import { createLine } from './line.ts'
import { readCommitted } from './record.ts'
import type { Repository } from './repository.ts'
import { type RestorePart, restoreParts } from './restore-parts.ts'
import type { RestoreThreadData } from './restore-thread.ts'
import type { ThreadTarget } from './thread-target.ts'

export interface RestoreRequest extends BackupRequest {
  /** At least as large as the backup; bytes beyond it become zero. */
  readonly destination: DeviceSpec
  /**
   * It reads as zeroes wherever this restore has not written: zeroes are skipped. Otherwise what is there is compared with the
   * backup, and only what differs is fetched and written.
   */
  readonly freshTarget: boolean
  /** Continues an earlier restore to the same destination: chunks before this one are there already. */
  readonly resumeFromChunk?: number
  readonly signal: AbortSignal
  /** `doneBytes`: position, zeroes included. `movedBytes`: data that this call has written. */
  readonly onProgress?: (progress: { doneBytes: number; totalBytes: number; movedBytes: number }) => void
  /** All chunks before `chunk` would survive a power cut. */
  readonly onCheckpoint?: (checkpoint: { chunk: number }) => void | Promise<void>
  /** Waits until so many bytes may be moved. */
  readonly pace?: (bytes: number) => Promise<void>
  readonly threads?: ThreadTarget & { readonly count: number }
}

/**
 * Restores a committed backup; every chunk is authenticated before it is written. Destination too small: `invalid`; damaged backup:
 * `corrupt`, naming the object. After an abort or a crash it can be continued from the last checkpoint.
 */
export async function restoreBackup(
  repository: Repository,
  request: RestoreRequest,
): Promise<{ movedBytes: number }> {
  request.signal.throwIfAborted()
  const record = await readCommitted(repository, request.domain, request.backupId)
  if (request.destination.sizeBytes < record.sizeBytes) {
    throw new DriverError(
      'invalid',
      `Expected a volume of at least ${record.sizeBytes} bytes for this backup, got ${request.destination.sizeBytes}`,
    )
  }
  const writer = await openWriter(request.destination)
  const present = request.freshTarget ? undefined : await openReader(request.destination)
  const executor = await startExecutor(repository, request, writer, present)
  const stop = new AbortController()
  const signal = AbortSignal.any([request.signal, stop.signal])
  const inWork = createLine(executor.capacity)
  try {
    const restore = new Restore(
      repository,
      request,
      { sizeBytes: record.sizeBytes, writer, present },
      executor,
    )
    const parts = restoreParts(repository, record, request.resumeFromChunk ?? 0, signal)
    const write = (part: RestorePart) => inWork.pass(() => restore.write(part))
    await pMap(keepFailing(parts), write, { concurrency: executor.capacity, signal })
    await restore.clear(record.sizeBytes, request.destination.sizeBytes - record.sizeBytes)
    await restore.finish()
    return { movedBytes: restore.movedBytes }
  } finally {
    stop.abort()
    await executor.close()
    await inWork.empty()
    await present?.close()
    await writer.close()
  }
}

interface Files {
  readonly sizeBytes: number
  readonly writer: BlockWriter
  readonly present: BlockReader | undefined
}

class Restore {
  readonly #chunkBytes: number
  readonly #request: RestoreRequest
  readonly #sizeBytes: number
  readonly #writer: BlockWriter
  /** What the destination holds; undefined: zeroes. */
  readonly #present: BlockReader | undefined
  readonly #executor: Executor<DownloadTask, number>
  /** First chunks of the parts in work. */
  readonly #inWork = new Set<number>()
  /** Parts begin in order: everything before this was begun. */
  #begunTo: number
  #flushedTo: number
  #doneBytes = 0
  #movedBytes = 0
  #flushing: Promise<void> = Promise.resolve()

  constructor(
    { chunkBytes }: Repository,
    request: RestoreRequest,
    { sizeBytes, writer, present }: Files,
    executor: Executor<DownloadTask, number>,
  ) {
    this.#chunkBytes = chunkBytes
    this.#request = request
    this.#sizeBytes = sizeBytes
    this.#writer = writer
    this.#present = present
    this.#executor = executor
    this.#begunTo = request.resumeFromChunk ?? 0
    this.#flushedTo = this.#begunTo
    this.#doneBytes = Math.min(sizeBytes, this.#begunTo * chunkBytes)
  }

  async write(part: RestorePart): Promise<void> {
    this.#inWork.add(part.chunk)
    this.#begunTo = part.chunk + part.count
    const offset = part.chunk * this.#chunkBytes
    const length = Math.min(part.count * this.#chunkBytes, this.#sizeBytes - offset)
    if (part.entry !== undefined) {
      await this.#request.pace?.(length)
      const writtenBytes = await this.#executor.run({ offset, length, entry: part.entry })
      this.#movedBytes += writtenBytes
    } else await this.clear(offset, length)
    this.#inWork.delete(part.chunk)
    this.#doneBytes += length
    this.#request.onProgress?.({
      doneBytes: this.#doneBytes,
      totalBytes: this.#sizeBytes,
      movedBytes: this.#movedBytes,
    })
    const segmentChunks = Math.max(1, Math.floor(LIMITS.segmentBytes / this.#chunkBytes))
    if (this.#doneTo() - this.#flushedTo >= segmentChunks) await this.#checkpoint()
  }

  /** Zeroes where there is anything else. */
  async clear(offset: number, length: number): Promise<void> {
    if (this.#present === undefined) return
    for await (const extent of extentsFrom(this.#present, offset, offset + length)) {
      if (extent.kind === 'zero') continue
      await this.#writer.writeZeroes(extent.offset, extent.length)
      this.#movedBytes += extent.length
    }
  }

  get movedBytes(): number {
    return this.#movedBytes
  }

  async finish(): Promise<void> {
    this.#begunTo = chunkCount(this.#chunkBytes, this.#sizeBytes)
    await this.#checkpoint()
  }

  /** Every chunk before this one was written. */
  #doneTo(): number {
    return Math.min(this.#begunTo, ...this.#inWork)
  }

  /** Only what was written before the flush began counts. */
  #checkpoint(): Promise<void> {
    const chunk = this.#doneTo()
    this.#flushedTo = chunk
    this.#flushing = this.#flushing.then(async () => {
      await this.#writer.flush()
      await this.#request.onCheckpoint?.({ chunk })
    })
    return this.#flushing
  }
}

async function startExecutor(
  repository: Repository,
  request: RestoreRequest,
  writer: BlockWriter,
  present: BlockReader | undefined,
): Promise<Executor<DownloadTask, number>> {
  const { domain, destination, freshTarget, signal, threads } = request
  const { keys } = await repository.domain(domain)
  const setup = { domain, keys, chunkBytes: repository.chunkBytes }
  if (threads === undefined) {
    return inlineExecutor(createChunkDownload({ writer, present }, repository.target, setup), signal)
  }
  const { count, ...target } = threads
  const data: RestoreThreadData = { target, destination, compare: !freshTarget, setup }
  return threadExecutor('restore-thread', data, count)
}
