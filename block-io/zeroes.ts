import { KiB } from '../domain/sizes.ts'

/** Finer would make files of many small extents, coarser would write more zeroes. */
const GRAIN_BYTES = 64 * KiB
const ZEROES = Buffer.alloc(GRAIN_BYTES)

/** The parts of the buffer that are not all zeroes, in order, as views. */
export function nonZeroRuns<B extends ArrayBufferLike>(buffer: Buffer<B>): Buffer<B>[] {
  const runs: Buffer<B>[] = []
  let start: number | undefined
  for (let at = 0; at < buffer.length; at += GRAIN_BYTES) {
    const grain = buffer.subarray(at, at + GRAIN_BYTES)
    const zero = grain.equals(grain.length === GRAIN_BYTES ? ZEROES : ZEROES.subarray(0, grain.length))
    if (zero && start !== undefined) {
      runs.push(buffer.subarray(start, at))
      start = undefined
    }
    if (!zero) start ??= at
  }
  if (start !== undefined) runs.push(buffer.subarray(start))
  return runs
}
