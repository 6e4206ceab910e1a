/** Reads a backup in Cinder's format, its whole chain at once, into a volume. */
import pMap from 'p-map'
import type { BlockWriter, DeviceSpec } from '../../block-io/device.ts'
import { openWriter } from '../../block-io/writer.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Executor } from '../executor.ts'
import { createLine } from '../line.ts'
import type { ChunkRead } from './chunk-read.ts'
import type { BackupLocation } from '../../domain/cinder-names.ts'
import { openCinderBackup, type OpenCinderBackup } from './open-backup.ts'
import { startReading } from './start-reading.ts'
import type { CinderStore, ThreadStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

export interface CinderRestoreRequest {
  readonly location: BackupLocation
  /** At least as large as the backup; bytes beyond it become zero. */
  readonly destination: DeviceSpec
  /** It reads as zeroes wherever this restore has not written. */
  readonly freshTarget: boolean
  /** Everything below was written by an earlier attempt. */
  readonly resumeFromBytes?: number
  readonly signal: AbortSignal
  readonly onProgress?: (progress: { doneBytes: number; totalBytes: number; movedBytes: number }) => void
  /** Everything below would survive a power cut. */
  readonly onCheckpoint?: (bytes: number) => void | Promise<void>
  readonly pace?: (bytes: number) => Promise<void>
  readonly threads?: ThreadStore & { readonly count: number }
}

export interface CinderRestored {
  readonly sizeBytes: number
  readonly movedBytes: number
  /** Backups in the chain, and objects that were read. */
  readonly backups: number
  readonly objects: number
  /** False: a backup of a Cinder before 2015, which has no hashes but md5. */
  readonly sha256Checked: boolean
}

/**
 * Every md5, and every SHA-256 of the volume's blocks, is checked; a mismatch is `corrupt` and names the object. Destination too
 * small: `invalid`. After an abort or a crash it can be continued from the last checkpoint.
 */
export async function restoreCinderBackup(
  store: CinderStore,
  request: CinderRestoreRequest,
): Promise<CinderRestored> {
  request.signal.throwIfAborted()
  const backup = await openCinderBackup(store, request.location, request.signal)
  const { destination } = request
  if (destination.sizeBytes < backup.sizeBytes) {
    throw new DriverError(
      'invalid',
      `Expected a volume of at least ${backup.sizeBytes} bytes for this backup, got ${destination.sizeBytes}`,
    )
  }
  const writer = await openWriter(destination)
  const executor = await startReading(store, {
    into: { kind: 'write', device: destination, skipZeroes: request.freshTarget },
    setup: { sha256: backup.sha256, strict: true },
    signal: request.signal,
    threads: request.threads,
  })
  const inWork = createLine(executor.capacity)
  const stop = new AbortController()
  const signal = AbortSignal.any([request.signal, stop.signal])
  try {
    const restore = new Restore(request, backup, writer, executor)
    const read = (part: MapPart) => inWork.pass(() => restore.read(part))
    await pMap(restore.parts(), read, { concurrency: executor.capacity, signal })
    if (!request.freshTarget) await writer.writeZeroes(backup.sizeBytes, writer.sizeBytes - backup.sizeBytes)
    return {
      ...(await restore.finish()),
      backups: backup.chain.length,
      sha256Checked: backup.sha256 !== undefined,
    }
  } finally {
    stop.abort()
    await executor.close()
    await inWork.empty()
    await writer.close()
  }
}

class Restore {
  readonly #request: CinderRestoreRequest
  readonly #backup: OpenCinderBackup
  readonly #writer: BlockWriter
  readonly #executor: Executor<MapPart, ChunkRead>
  readonly #inWork = new Set<MapPart>()
  /** Parts begin in the order of their offsets: what is not begun lies behind this. */
  #begunTo = 0
  #flushedTo: number
  #doneBytes = 0
  #movedBytes = 0
  #objects = 0
  #flushing: Promise<void> = Promise.resolve()

  constructor(
    request: CinderRestoreRequest,
    backup: OpenCinderBackup,
    writer: BlockWriter,
    executor: Executor<MapPart, ChunkRead>,
  ) {
    this.#request = request
    this.#backup = backup
    this.#writer = writer
    this.#executor = executor
    this.#flushedTo = request.resumeFromBytes ?? 0
  }

  /** Without those that an earlier attempt finished. */
  *parts(): Generator<MapPart> {
    for (const part of this.#backup.parts) {
      this.#begunTo = part.object.offset
      if (part.ranges.every(([, to]) => to <= this.#flushedTo)) this.#doneBytes += bytesOf(part)
      else {
        this.#inWork.add(part)
        yield part
      }
    }
  }

  async read(part: MapPart): Promise<void> {
    await this.#request.pace?.(part.object.length)
    this.#movedBytes += (await this.#executor.run(part)).movedBytes
    this.#inWork.delete(part)
    this.#objects += 1
    this.#doneBytes += bytesOf(part)
    const { sizeBytes: totalBytes } = this.#backup
    this.#request.onProgress?.({ doneBytes: this.#doneBytes, totalBytes, movedBytes: this.#movedBytes })
    if (this.#doneTo() - this.#flushedTo >= LIMITS.segmentBytes) await this.#checkpoint(this.#doneTo())
  }

  async finish(): Promise<{ sizeBytes: number; movedBytes: number; objects: number }> {
    await this.#checkpoint(this.#backup.sizeBytes)
    return { sizeBytes: this.#backup.sizeBytes, movedBytes: this.#movedBytes, objects: this.#objects }
  }

  /** Nothing below is missing: the ranges of an object lie behind its offset. */
  #doneTo(): number {
    return Math.min(this.#begunTo, ...[...this.#inWork].map(({ object }) => object.offset))
  }

  /** Only what was written before the flush began counts. */
  #checkpoint(bytes: number): Promise<void> {
    this.#flushedTo = bytes
    this.#flushing = this.#flushing.then(async () => {
      await this.#writer.flush()
      await this.#request.onCheckpoint?.(bytes)
    })
    return this.#flushing
  }
}

function bytesOf({ ranges }: MapPart): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0)
}
