/** One object on its way to the volume: fetched, decompressed, checked, and written where nothing newer covers it. */
import { hash } from 'node:crypto'
import type { BlockWriter } from '../../block-io/device.ts'
import { nonZeroRuns } from '../../block-io/zeroes.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import { readChunk } from './read-chunk.ts'
import { createSha256Reader, SHA_BLOCK_BYTES, type Sha256Index } from './sha256-file.ts'
import type { CinderStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

export interface ChunkRestoreSetup {
  /** Of the backup that is restored; absent: it has no hashes. */
  readonly sha256: Sha256Index | undefined
  /** The destination reads as zeroes: zeroes are not written. */
  readonly skipZeroes: boolean
}

/** Without a writer everything is checked and nothing written. Gives the bytes written. */
export function createChunkRestore(
  store: CinderStore,
  writer: BlockWriter | undefined,
  { sha256, skipZeroes }: ChunkRestoreSetup,
) {
  const digest = sha256 === undefined ? undefined : createSha256Reader(store, sha256)
  const blockBytes = sha256?.blockBytes ?? SHA_BLOCK_BYTES
  const pieceBytes = blockBytes * Math.max(1, Math.floor(LIMITS.cinderPieceBytes / blockBytes))

  return async ({ object, ranges }: MapPart, signal: AbortSignal): Promise<number> => {
    let at = object.offset
    let writtenBytes = 0
    for await (const piece of readChunk(store, object, pieceBytes, signal)) {
      for (const [from, to] of overlaps(ranges, at, at + piece.length)) {
        const bytes = piece.subarray(from - at, to - at)
        if (digest !== undefined) await checkBlocks(bytes, from, { object: object.name, blockBytes, digest })
        signal.throwIfAborted()
        if (writer !== undefined) writtenBytes += await write(writer, bytes, from, skipZeroes)
      }
      at += piece.length
    }
    return writtenBytes
  }
}

/** The parts of the ranges within [from, to). */
function* overlaps(
  ranges: MapPart['ranges'],
  from: number,
  to: number,
): Generator<readonly [number, number]> {
  for (const [begin, end] of ranges) {
    if (begin >= to) return
    if (end > from) yield [Math.max(begin, from), Math.min(end, to)]
  }
}

interface Expected {
  readonly object: string
  readonly blockBytes: number
  readonly digest: (block: number) => Promise<string>
}

/** Cinder cuts at blocks, and so does whatever we write: a part of a block belongs to nobody's backup. */
async function checkBlocks(bytes: Buffer, offset: number, expected: Expected): Promise<void> {
  const { object, blockBytes, digest } = expected
  if (offset % blockBytes !== 0)
    throw new DriverError('corrupt', `Expected object ${object} to be cut at blocks of ${blockBytes} bytes`)
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = (offset + at) / blockBytes
    const found = hash('sha256', bytes.subarray(at, at + blockBytes))
    if (found !== (await digest(block)))
      throw new DriverError(
        'corrupt',
        `Expected object ${object} to hold block ${block} with the backup's SHA-256, it holds other bytes`,
      )
  }
}

async function write(
  writer: BlockWriter,
  bytes: Buffer,
  offset: number,
  skipZeroes: boolean,
): Promise<number> {
  let writtenBytes = 0
  let at = 0
  const clear = async (to: number) => {
    if (to > at && !skipZeroes) await writer.writeZeroes(offset + at, to - at)
  }
  for (const run of nonZeroRuns(bytes)) {
    const from = run.byteOffset - bytes.byteOffset
    await clear(from)
    await writer.write(run, offset + from)
    writtenBytes += run.length
    at = from + run.length
  }
  await clear(bytes.length)
  return writtenBytes
}
