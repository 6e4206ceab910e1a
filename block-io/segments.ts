import { LIMITS } from '../domain/limits.ts'
import type { Extent } from './device.ts'

/** What lies between two checkpoints. */
export interface Segment {
  readonly offset: number
  readonly end: number
  readonly dataBytes: number
  /** What has to be done, in order; gaps are zeroes that need no writing. */
  readonly extents: Extent[]
}

/**
 * Cuts extents into segments of at most `segmentBytes` of data. Zeroes do not count, so that a sparse volume has few
 * checkpoints; but a segment spans at most LIMITS.segmentSpanBytes. With `skipZeroes` no segment begins or ends with zeroes.
 */
export async function* planSegments(
  extents: AsyncIterable<Extent>,
  plan: { readonly segmentBytes: number; readonly skipZeroes: boolean },
): AsyncGenerator<Segment> {
  let segment: Segment | undefined
  for await (const { offset, length, kind } of extents) {
    if (kind === 'zero' && plan.skipZeroes) continue
    const end = offset + length
    for (let at = offset; at < end;) {
      if (segment !== undefined && at >= spanEnd(segment)) {
        yield segment
        segment = undefined
      }
      segment ??= { offset: at, end: at, dataBytes: 0, extents: [] }
      const room: number = kind === 'data' ? at + plan.segmentBytes - segment.dataBytes : end
      const stop = Math.min(end, spanEnd(segment), room)
      const dataBytes: number = segment.dataBytes + (kind === 'data' ? stop - at : 0)
      const { extents } = segment
      extents.push({ offset: at, length: stop - at, kind })
      segment = { offset: segment.offset, end: stop, dataBytes, extents }
      at = stop
      if (dataBytes < plan.segmentBytes) continue
      yield segment
      segment = undefined
    }
  }
  if (segment !== undefined) yield segment
}

/** The segment's extents, data in pieces that fit one buffer. */
export function* piecesOf(segment: Segment): Generator<Extent> {
  for (const { offset, length, kind } of segment.extents) {
    const pieceBytes = kind === 'data' ? LIMITS.copyPieceBytes : length
    for (let done = 0; done < length; done += pieceBytes) {
      yield { offset: offset + done, length: Math.min(pieceBytes, length - done), kind }
    }
  }
}

function spanEnd(segment: Segment): number {
  return segment.offset + LIMITS.segmentSpanBytes
}
