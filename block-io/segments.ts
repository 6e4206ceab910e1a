import { LIMITS } from '../domain/limits.ts'
import type { Extent } from './device.ts'

/** One run of the copying program, and one checkpoint. */
export interface Segment {
  readonly offset: number
  readonly end: number
  /** What must be moved of it; the rest reads as zeroes. */
  readonly dataBytes: number
}

/**
 * Cuts extents into segments of at most `segmentBytes` of data. Zeroes do not count, so that a sparse volume costs few processes;
 * but a segment spans at most LIMITS.segmentSpanBytes. With `skipZeroes` no segment begins or ends with zeroes.
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
      segment ??= { offset: at, end: at, dataBytes: 0 }
      const room: number = kind === 'data' ? at + plan.segmentBytes - segment.dataBytes : end
      const stop = Math.min(end, spanEnd(segment), room)
      const dataBytes: number = segment.dataBytes + (kind === 'data' ? stop - at : 0)
      segment = { offset: segment.offset, end: stop, dataBytes }
      at = stop
      if (dataBytes < plan.segmentBytes) continue
      yield segment
      segment = undefined
    }
  }
  if (segment !== undefined) yield segment
}

function spanEnd(segment: Segment): number {
  return segment.offset + LIMITS.segmentSpanBytes
}
