/** One object on its way: fetched, decompressed, checked, and handed on where nothing newer covers it. */
import { hash } from 'node:crypto'
import type { ByteRange } from '../../block-io/device.ts'
import { DriverError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { ChunkSink } from './chunk-sink.ts'
import { readChunk } from './read-chunk.ts'
import { createSha256Reader, SHA_BLOCK_BYTES, type Sha256Index } from './sha256-file.ts'
import type { CinderStore } from './store.ts'
import type { MapPart } from './volume-map.ts'

export interface ChunkRead {
  /** What the sink has moved. */
  readonly movedBytes: number
  /** Of the volume: where it has other bytes than the hashes, or the sink, say. */
  readonly different: readonly ByteRange[]
}

export interface ChunkReadSetup {
  /** Of the backup that is read; absent: it has no hashes. */
  readonly sha256: Sha256Index | undefined
  /** At the first block that has another hash it ends with `corrupt`, before the sink gets that block. */
  readonly strict: boolean
}

/** An object whose md5 or length is wrong, or that is not there: `corrupt`, and what the sink got must not stand. */
export function createChunkRead(store: CinderStore, { sha256, strict }: ChunkReadSetup) {
  const digest = sha256 === undefined ? undefined : createSha256Reader(store, sha256)
  const blockBytes = sha256?.blockBytes ?? SHA_BLOCK_BYTES
  const pieceBytes = blockBytes * Math.max(1, Math.floor(LIMITS.cinderPieceBytes / blockBytes))

  return async ({ object, ranges }: MapPart, sink: ChunkSink, signal: AbortSignal): Promise<ChunkRead> => {
    let at = object.offset
    let movedBytes = 0
    const different: ByteRange[] = []
    for await (const piece of readChunk(store, object, pieceBytes, signal)) {
      for (const [from, to] of overlaps(ranges, at, at + piece.length)) {
        const bytes = piece.subarray(from - at, to - at)
        if (digest !== undefined) {
          const wrong = await wrongBlocks(bytes, from, { object: object.name, blockBytes, digest })
          if (strict && wrong[0] !== undefined) throw otherBytes(object.name, wrong[0].offset / blockBytes)
          different.push(...wrong)
        }
        signal.throwIfAborted()
        const taken = await sink(bytes, from)
        movedBytes += taken.movedBytes
        different.push(...taken.different)
      }
      at += piece.length
    }
    return { movedBytes, different }
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
async function wrongBlocks(bytes: Buffer, offset: number, expected: Expected): Promise<ByteRange[]> {
  const { object, blockBytes, digest } = expected
  if (offset % blockBytes !== 0)
    throw new DriverError('corrupt', `Expected object ${object} to be cut at blocks of ${blockBytes} bytes`)
  const wrong: ByteRange[] = []
  for (let at = 0; at < bytes.length; at += blockBytes) {
    const block = bytes.subarray(at, at + blockBytes)
    if (hash('sha256', block) !== (await digest((offset + at) / blockBytes)))
      wrong.push({ offset: offset + at, length: block.length })
  }
  return wrong
}

function otherBytes(object: string, block: number): DriverError {
  return new DriverError(
    'corrupt',
    `Expected object ${object} to hold block ${block} with the backup's SHA-256, it holds other bytes`,
  )
}
