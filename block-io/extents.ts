import { LIMITS } from '../domain/limits.ts'
import type { BlockReader, Extent } from './device.ts'

/** Appends an extent that begins where the last one ends, merging equal kinds. */
export function appendExtent(extents: Extent[], extent: Extent): void {
  const last = extents.at(-1)
  if (last?.kind === extent.kind)
    extents[extents.length - 1] = { ...last, length: last.length + extent.length }
  else extents.push(extent)
}

/** Asks in windows, so that each answer stays small. */
export async function* extentsFrom(reader: BlockReader, from: number, to: number): AsyncGenerator<Extent> {
  for (let at = from; at < to; at += LIMITS.mapWindowBytes) {
    yield* await reader.extents(at, Math.min(LIMITS.mapWindowBytes, to - at))
  }
}
