/** Writes a volume as a full backup that Cinder itself can list, restore, and make incremental backups on. */
import type { FileHandle } from 'node:fs/promises'
import pMap from 'p-map'
import type { BlockReader, DeviceSpec } from '../../block-io/device.ts'
import { fileError } from '../../block-io/file-errors.ts'
import { openReader } from '../../block-io/reader.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { type Executor, inlineExecutor, threadExecutor } from '../executor.ts'
import { createLine } from '../line.ts'
import {
  type ChunkUploadTask,
  createChunkUpload,
  type UploadedChunk,
  type WrittenCompression,
} from './chunk-upload.ts'
import { type ChunkObject, serializeMetadata } from './metadata.ts'
import {
  type BackupLocation,
  chunkName,
  chunkNumber,
  sha256Key,
  stagedKey,
} from '../../domain/cinder-names.ts'
import { SHA_BLOCK_BYTES, SHA256_BYTES, sha256FileBody } from './sha256-file.ts'
import { openSpoolFile } from './spool-file.ts'
import type { CinderStore, ThreadStore } from './store.ts'
import type { UploadThreadData } from './upload-thread.ts'

export interface CinderUploadRequest {
  readonly location: BackupLocation
  readonly name: string | null
  readonly description: string | null
  /** ISO 8601, UTC. */
  readonly createdAt: string
  /** What Cinder would keep of the volume's row: a JSON string, or null. */
  readonly volumeMeta: string | null
  readonly source: DeviceSpec
  readonly sizeBytes: number
  readonly compression: WrittenCompression
  readonly chunkBytes?: number
  /** For the hashes, until they are stored: 1 MiB for each GiB of the volume. */
  readonly spoolFolder: string
  readonly signal: AbortSignal
  readonly onProgress?: (progress: { doneBytes: number; totalBytes: number; movedBytes: number }) => void
  readonly pace?: (bytes: number) => Promise<void>
  readonly threads?: ThreadStore & { readonly count: number }
}

export interface CinderUploaded {
  readonly objectCount: number
  readonly storedBytes: number
  /** By this attempt. */
  readonly movedBytes: number
}

/**
 * Everything but the commit. May be repeated after a crash at any point: what was stored is read from the source and hashed again,
 * since Cinder's format has no place to keep the hashes meanwhile, but it is not compressed and sent again.
 */
export async function uploadCinderBackup(
  store: CinderStore,
  request: CinderUploadRequest,
): Promise<CinderUploaded> {
  request.signal.throwIfAborted()
  if (request.sizeBytes > LIMITS.cinderExportMaxBytes)
    throw new DriverError(
      'unsupported',
      `Expected a volume of at most ${LIMITS.cinderExportMaxBytes} bytes for Cinder's format, got ${request.sizeBytes}`,
    )
  const reader = await openReader(request.source)
  const spool = await openSpoolFile(request.spoolFolder)
  const executor = startExecutor(store, request, reader)
  const inWork = createLine(LIMITS.cinderChunksInWork)
  try {
    const upload = new Upload(store, request, { reader, spool, executor })
    const tasks = await upload.tasks()
    const send = (task: ChunkUploadTask) => inWork.pass(() => upload.send(task))
    await pMap(tasks, send, { concurrency: LIMITS.cinderChunksInWork, signal: request.signal })
    return await upload.finish()
  } finally {
    await executor.close()
    await inWork.empty()
    await spool.close()
    await reader.close()
  }
}

interface Tools {
  readonly reader: BlockReader
  readonly spool: FileHandle
  readonly executor: Executor<ChunkUploadTask, UploadedChunk>
}

class Upload {
  readonly #store: CinderStore
  readonly #request: CinderUploadRequest
  readonly #tools: Tools
  readonly #chunkBytes: number
  readonly #objects: ChunkObject[] = []
  #doneBytes = 0
  #movedBytes = 0
  #storedBytes = 0

  constructor(store: CinderStore, request: CinderUploadRequest, tools: Tools) {
    this.#store = store
    this.#request = request
    this.#tools = tools
    this.#chunkBytes = request.chunkBytes ?? LIMITS.cinderChunkBytes
  }

  async tasks(): Promise<AsyncIterable<ChunkUploadTask>> {
    return this.#plan(await this.#stored())
  }

  async send(task: ChunkUploadTask): Promise<void> {
    await this.#request.pace?.(task.zero ? 0 : task.length)
    const { sha256s, md5, compression, storedBytes, outcome } = await this.#tools.executor.run(task)
    const { offset, length } = task
    const at = (offset / SHA_BLOCK_BYTES) * SHA256_BYTES
    await this.#tools.spool.write(sha256s, 0, sha256s.length, at).catch(fileError)
    const name = task.key.slice(this.#request.location.folder.length)
    this.#objects[offset / this.#chunkBytes] = { name, offset, length, compression, md5 }
    this.#storedBytes += storedBytes
    if (outcome === 'stored') this.#movedBytes += storedBytes
    this.#doneBytes += length
    this.#request.onProgress?.({
      doneBytes: this.#doneBytes,
      totalBytes: this.#request.sizeBytes,
      movedBytes: this.#movedBytes,
    })
  }

  /** Cinder's order: hashes before metadata. These wait for their commit under another name. */
  async finish(): Promise<CinderUploaded> {
    const { location, signal, sizeBytes, volumeMeta } = this.#request
    const blocks = Math.ceil(sizeBytes / SHA_BLOCK_BYTES)
    const about = this.#about()
    const body = sha256FileBody({ ...about, chunk_size: SHA_BLOCK_BYTES }, blocks, () =>
      this.#digests(blocks),
    )
    await this.#store.put(sha256Key(location), body, { signal })
    const raw = { ...about, version: '1.0.0', volume_meta: volumeMeta }
    const metadata = serializeMetadata(raw, { parentId: null, objects: this.#objects })
    await this.#store.put(stagedKey(location), metadata, { signal })
    return {
      objectCount: this.#objects.length,
      storedBytes: this.#storedBytes,
      movedBytes: this.#movedBytes,
    }
  }

  /** What an earlier attempt has stored: the size of each object by its number. */
  async #stored(): Promise<Map<number, number>> {
    const { folder, prefix } = this.#request.location
    const stored = new Map<number, number>()
    for await (const { key, sizeBytes } of this.#store.list(`${folder}${prefix}-`)) {
      const number = chunkNumber(this.#request.location, key.slice(folder.length))
      if (number !== undefined) stored.set(number, sizeBytes)
    }
    return stored
  }

  async *#plan(stored: Map<number, number>): AsyncGenerator<ChunkUploadTask> {
    const { location, sizeBytes } = this.#request
    for (let offset = 0, number = 1; offset < sizeBytes; offset += this.#chunkBytes, number += 1) {
      const length = Math.min(this.#chunkBytes, sizeBytes - offset)
      const extents = await this.#tools.reader.extents(offset, length)
      yield {
        key: `${location.folder}${chunkName(location, number)}`,
        offset,
        length,
        storedBytes: stored.get(number),
        zero: extents.every(({ kind }) => kind === 'zero'),
      }
    }
  }

  #about(): Record<string, unknown> {
    const { location, name, description, createdAt } = this.#request
    return {
      backup_description: description,
      backup_id: location.backupId,
      backup_name: name,
      // Python's str() of a time in UTC.
      created_at: `${createdAt.replace('T', ' ').replace(/\..*$|Z$/, '')}+00:00`,
      volume_id: location.volumeId,
    }
  }

  async *#digests(blocks: number): AsyncGenerator<Buffer> {
    const pageBytes = LIMITS.cinderShaPageBlocks * SHA256_BYTES
    for (let at = 0; at < blocks * SHA256_BYTES; at += pageBytes) {
      const page = Buffer.alloc(Math.min(pageBytes, blocks * SHA256_BYTES - at))
      await this.#tools.spool.read(page, 0, page.length, at).catch(fileError)
      yield page
    }
  }
}

function startExecutor(
  store: CinderStore,
  { source, compression, threads, signal }: CinderUploadRequest,
  reader: BlockReader,
): Executor<ChunkUploadTask, UploadedChunk> {
  const setup = { compression }
  if (threads === undefined) return inlineExecutor(createChunkUpload(reader, store, setup), signal)
  const { count, ...threadStore } = threads
  const data: UploadThreadData = { store: threadStore, source, setup }
  return threadExecutor('cinder/upload-thread', data, count)
}
