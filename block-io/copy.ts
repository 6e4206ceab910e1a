/**
 * Copies a device into a plain raw file by segments, so that a crash repeats at most two of them. qemu-img moves the bytes; this
 * file decides what must be moved, makes it durable, and says how far it is.
 */
import { open } from 'node:fs/promises'
import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { roundUp } from '../domain/sizes.ts'
import type { Blockdev, BlockDevice, Extent } from './device.ts'
import { type CopySource, openSource } from './copy-source.ts'
import { fileError, requireRange } from './file-errors.ts'
import { asFilename } from './map.ts'
import { runProcess } from './process.ts'
import { planSegments, type Segment } from './segments.ts'
import { stallGuard } from './stall-guard.ts'
import { openWriter } from './writer.ts'

const SECTOR_BYTES = 512

export interface CopyOptions {
  readonly source: BlockDevice
  /** Has a `plainFile` of whole 512-byte sectors that nobody else has open. */
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
  const file = await open(plainFileOf(target), 'r+').catch(fileError)
  try {
    const source = await openSource(options)
    try {
      return await copySegments(options, source, () => file.datasync().catch(fileError))
    } catch (error) {
      throw await source.explain(error)
    } finally {
      await source.close()
    }
  } finally {
    await file.close()
  }
}

/** Makes [fromBytes, toBytes) of a plain file read as zeroes, durably: what a copy leaves of a larger target. */
export async function zeroTail(target: BlockDevice, fromBytes: number, toBytes: number): Promise<void> {
  const writer = await openWriter({ path: plainFileOf(target), sizeBytes: target.sizeBytes })
  try {
    await writer.writeZeroes(fromBytes, toBytes - fromBytes)
    await writer.flush()
  } finally {
    await writer.close()
  }
}

function plainFileOf(target: BlockDevice): string {
  if (target.plainFile !== undefined) return target.plainFile
  throw new DriverError('unsupported', 'Expected a plain file as the target of a copy')
}

/**
 * One segment is copied while the one before it is flushed. (Two copied at once were slower: they wait for each other at the file's
 * lock.) The flush is ours: `qemu-img convert` exits with 0 even when its own flush at the end failed.
 */
async function copySegments(
  options: CopyOptions,
  source: CopySource,
  flush: () => Promise<void>,
): Promise<{ movedBytes: number }> {
  const { lengthBytes, startOffset, targetIsZero: skipZeroes, onCheckpoint, onProgress } = options
  const { segmentBytes = LIMITS.segmentBytes } = options
  const makeDurable = async (offset: number) => {
    await flush()
    await onCheckpoint(offset)
  }
  let movedBytes = 0
  let flushing = Promise.resolve()
  try {
    const extents = extentsFrom(source, startOffset, lengthBytes)
    for await (const segment of planSegments(extents, { segmentBytes, skipZeroes })) {
      const { offset, end, dataBytes } = segment
      await convertSegment(options, source, segment, (part) => {
        onProgress({
          doneBytes: Math.floor(offset + part * (end - offset)),
          movedBytes: Math.floor(movedBytes + part * dataBytes),
        })
      })
      movedBytes += dataBytes
      await flushing
      flushing = makeDurable(end)
      // Whoever awaits it next sees the failure; it must not count as unhandled until then.
      flushing.catch(() => undefined)
    }
    await flushing
    await makeDurable(lengthBytes)
  } finally {
    await Promise.allSettled([flushing])
  }
  onProgress({ doneBytes: lengthBytes, movedBytes })
  return { movedBytes }
}

async function* extentsFrom(source: CopySource, from: number, to: number): AsyncGenerator<Extent> {
  for (let at = from; at < to; at += LIMITS.mapWindowBytes) {
    yield* await source.extents(at, Math.min(LIMITS.mapWindowBytes, to - at))
  }
}

/** `onPart` gets 0 to 1. */
async function convertSegment(
  options: CopyOptions,
  source: CopySource,
  segment: Segment,
  onPart: (part: number) => void,
): Promise<void> {
  const offset = segment.offset - (segment.offset % SECTOR_BYTES)
  const end = roundUp(segment.end, SECTOR_BYTES)
  const size = { size: end - offset }
  // A file that ends within a sector has no such window; qemu pads what it reads up to the end of the file.
  const sourceSize = end <= options.source.sizeBytes ? size : {}
  const target: Blockdev = { driver: 'file', filename: plainFileOf(options.target) }
  const stall = stallGuard(options.signal, LIMITS.stallMs)
  try {
    await runProcess(
      'qemu-img',
      [
        ...['convert', '-p', '-n', '-W', '-m', '16', '-t', 'unsafe'],
        ...(options.targetIsZero ? ['--target-is-zero'] : []),
        asFilename({ driver: 'raw', offset, ...sourceSize, file: source.blockdev }),
        asFilename({ driver: 'raw', offset, ...size, file: target }),
      ],
      {
        signal: stall.signal,
        onStdoutLine: (line) => {
          const percent = /\((\d+\.\d+)\/100%\)/.exec(line)?.[1]
          if (percent === undefined) return
          stall.moved()
          onPart(Number(percent) / 100)
        },
      },
    )
    onPart(1)
  } finally {
    stall.end()
  }
}
