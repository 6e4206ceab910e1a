/**
 * Copies a device by segments, so that a crash repeats at most two of them. What is not a plain file is read and written over NBD, from
 * a qemu of its own. One stream from end to end: a `qemu-img convert` for each segment costs a process start and a
 * barrier each time, and was slower.
 */
import pMap from 'p-map'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { BlockDevice, BlockReader, BlockWriter, DeviceSpec, Extent } from './device.ts'
import { openSource } from './copy-source.ts'
import { directSpec } from './direct.ts'
import { extentsFrom } from './extents.ts'
import { requireRange } from './file-errors.ts'
import { piecesOf, planSegments } from './segments.ts'
import { openWriter } from './writer.ts'
import { nonZeroRuns } from './zeroes.ts'

export interface CopyOptions {
  readonly source: BlockDevice
  /** A plain file that nobody else has open, or one that is served for us alone. */
  readonly target: BlockDevice
  readonly lengthBytes: number
  /** The target held zeroes before the first attempt of this copy: then zeroes need not be written, not even after a crash,
   *  since whatever an earlier attempt wrote came from the same source. */
  readonly targetIsZero: boolean
  /** What a checkpoint of an earlier attempt said, or 0. */
  readonly startOffset: number
  readonly signal: AbortSignal
  /** `doneBytes`: position in the device, holes included. `movedBytes`: data that this call has written. Neither goes back. */
  readonly onProgress: (progress: { doneBytes: number; movedBytes: number }) => void
  /** Everything below the offset survives a power cut. */
  readonly onCheckpoint: (offset: number) => void | Promise<void>
  /** Waits until so many bytes may be moved. */
  readonly pace?: (bytes: number) => Promise<void>
  readonly segmentBytes?: number
  /** For the socket of an untrusted source's server. */
  readonly socketDirectory?: string
}

/** Throws DriverError (`full`, `busy`, `corrupt`, …), or the signal's reason; by then no child is alive. */
export async function copyDevice(options: CopyOptions): Promise<{ movedBytes: number }> {
  const { target, lengthBytes, startOffset, signal } = options
  requireRange(options.source.sizeBytes, startOffset, lengthBytes - startOffset)
  requireRange(target.sizeBytes, 0, lengthBytes)
  signal.throwIfAborted()
  // Opened before anything is written: the flush of this descriptor then reports every write that failed since.
  const writer = await openWriter(writableSpec(target))
  try {
    const reader = await openSource(options)
    try {
      return await copySegments(options, reader, writer)
    } catch (error) {
      // What the end of its server did to a read is not the reason.
      signal.throwIfAborted()
      throw error
    } finally {
      await reader.close()
    }
  } finally {
    await writer.close()
  }
}

function writableSpec(target: BlockDevice): DeviceSpec {
  const spec = directSpec(target)
  if (spec !== undefined) return spec
  throw new DriverError('unsupported', 'Expected a plain file or a served device as the target of a copy')
}

/** One segment is copied while the one before it is flushed. */
async function copySegments(
  options: CopyOptions,
  reader: BlockReader,
  writer: BlockWriter,
): Promise<{ movedBytes: number }> {
  const { lengthBytes, startOffset, targetIsZero, signal, onCheckpoint, onProgress } = options
  const { segmentBytes = LIMITS.segmentBytes } = options
  const makeDurable = async (offset: number) => {
    await writer.flush()
    await onCheckpoint(offset)
  }
  const mover = new Mover(reader, writer, targetIsZero)
  let flushing = Promise.resolve()
  try {
    const extents = extentsFrom(reader, startOffset, lengthBytes)
    for await (const segment of planSegments(extents, { segmentBytes, skipZeroes: targetIsZero })) {
      let doneBytes = segment.offset
      const move = async (piece: Extent) => {
        if (piece.kind === 'data') await options.pace?.(piece.length)
        signal.throwIfAborted()
        await mover.move(piece)
        doneBytes += piece.length
        onProgress({ doneBytes, movedBytes: mover.movedBytes })
      }
      await pMap(piecesOf(segment), move, { concurrency: LIMITS.copyPiecesInFlight })
      await flushing
      flushing = makeDurable(segment.end)
      // Whoever awaits it next sees the failure; it must not count as unhandled until then.
      flushing.catch(() => undefined)
    }
    await flushing
    await makeDurable(lengthBytes)
  } finally {
    // Nothing is written any more once the promise has settled.
    await Promise.allSettled([mover.idle(), flushing])
  }
  onProgress({ doneBytes: lengthBytes, movedBytes: mover.movedBytes })
  return { movedBytes: mover.movedBytes }
}

/** Moves pieces through a few buffers that are used again and again: fresh ones cost more than the copying. */
class Mover {
  movedBytes = 0
  readonly #reader: BlockReader
  readonly #writer: BlockWriter
  readonly #targetIsZero: boolean
  readonly #buffers: Buffer[] = []
  readonly #moving = new Set<Promise<void>>()

  constructor(reader: BlockReader, writer: BlockWriter, targetIsZero: boolean) {
    this.#reader = reader
    this.#writer = writer
    this.#targetIsZero = targetIsZero
  }

  async move(piece: Extent): Promise<void> {
    const moving = this.#move(piece)
    this.#moving.add(moving)
    await moving.finally(() => this.#moving.delete(moving))
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#moving)
  }

  async #move({ offset, length, kind }: Extent): Promise<void> {
    if (kind === 'zero') return this.#writer.writeZeroes(offset, length)
    const buffer = this.#buffers.pop() ?? Buffer.allocUnsafeSlow(LIMITS.copyPieceBytes)
    const bytes = buffer.subarray(0, length)
    await this.#reader.read(bytes, offset)
    // Allocated zeroes need not be allocated again.
    const runs = this.#targetIsZero ? nonZeroRuns(bytes) : [bytes]
    for (const run of runs) {
      await this.#writer.write(run, offset + run.byteOffset - bytes.byteOffset)
      this.movedBytes += run.length
    }
    this.#buffers.push(buffer)
  }
}
