import type { ByteRange } from '../block-io/device.ts'

/** Which chunks the ranges touch, in whatever order they come. */
export function touchedChunks(extents: readonly ByteRange[], chunkBytes: number): (chunk: number) => boolean {
  const ranges = extents
    .filter(({ length }) => length > 0)
    .map(({ offset, length }) => ({
      first: Math.floor(offset / chunkBytes),
      last: Math.floor((offset + length - 1) / chunkBytes),
    }))
    .toSorted((a, b) => a.first - b.first)
  // Ranges may overlap: `reach` is the last chunk that any range up to here touches.
  let reach = -1
  const reaches = ranges.map(({ last }) => (reach = Math.max(reach, last)))

  return (chunk) => {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((ranges[middle]?.first ?? 0) <= chunk) low = middle + 1
      else high = middle
    }
    return low > 0 && (reaches[low - 1] ?? -1) >= chunk
  }
}
