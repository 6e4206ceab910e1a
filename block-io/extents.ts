import type { Extent } from './device.ts'

/** Appends an extent that begins where the last one ends, merging equal kinds. */
export function appendExtent(extents: Extent[], extent: Extent): void {
  const last = extents.at(-1)
  if (last?.kind === extent.kind)
    extents[extents.length - 1] = { ...last, length: last.length + extent.length }
  else extents.push(extent)
}
