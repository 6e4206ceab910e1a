import { DriverError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { roundUp } from '../domain/sizes.ts'
import type { Blockdev, ByteRange, Extent } from './device.ts'
import { appendExtent } from './extents.ts'
import { runProcess, TOO_MUCH_OUTPUT } from './process.ts'

/** qemu's way of writing a whole blockdev where a file name is expected; no driver or format is ever guessed. */
export function asFilename(blockdev: Blockdev): string {
  return `json:${JSON.stringify(blockdev)}`
}

/**
 * What qemu-img knows about the allocation of [offset, offset + length). Node has no SEEK_HOLE; one qemu-img costs about 10 ms
 * and knows every trusted format. Ranges behind the end are zeroes; a range too fragmented to list counts as data.
 */
export function mapBlockdev(
  blockdev: Blockdev,
  offset: number,
  length: number,
  options: { signal?: AbortSignal } = {},
): Promise<Extent[]> {
  return mapBy(({ zero }) => !zero, blockdev, { offset, length }, options)
}

/** What these layers themselves say about their bytes, zeroes that were written or discarded included; sometimes a little more. */
export async function allocatedRanges(
  blockdev: Blockdev,
  lengthBytes: number,
  options: { signal?: AbortSignal } = {},
): Promise<ByteRange[]> {
  const extents = await mapBy(({ present }) => present, blockdev, { offset: 0, length: lengthBytes }, options)
  return extents.filter(({ kind }) => kind === 'data')
}

async function mapBy(
  isData: (entry: MapEntry) => boolean,
  blockdev: Blockdev,
  { offset, length }: ByteRange,
  options: { signal?: AbortSignal },
): Promise<Extent[]> {
  const range = [`--start-offset=${offset}`, `--max-length=${length}`]
  try {
    const args = ['map', '--output=json', ...range, asFilename(blockdev)]
    const { stdout } = await runProcess('qemu-img', args, { ...options, timeoutMs: LIMITS.stallMs })
    return parseMap(isData, stdout, offset, length)
  } catch (error) {
    if (!(error instanceof DriverError) || error.cause !== TOO_MUCH_OUTPUT) throw error
    if (length <= LIMITS.mapSplitMinBytes) return [{ offset, length, kind: 'data' }]
    const half = roundUp(length / 2, LIMITS.mapSplitMinBytes)
    const extents = await mapBy(isData, blockdev, { offset, length: half }, options)
    const rest = await mapBy(isData, blockdev, { offset: offset + half, length: length - half }, options)
    for (const extent of rest) appendExtent(extents, extent)
    return extents
  }
}

interface MapEntry {
  readonly start: number
  readonly length: number
  readonly zero: boolean
  readonly present: boolean
}

function parseMap(
  isData: (entry: MapEntry) => boolean,
  stdout: string,
  offset: number,
  length: number,
): Extent[] {
  const end = offset + length
  const extents: Extent[] = []
  let position = offset
  for (const entry of JSON.parse(stdout) as MapEntry[]) {
    const stop = Math.min(entry.start + entry.length, end)
    if (stop <= position) continue
    if (entry.start > position)
      throw new DriverError('invalid', 'Expected a map without gaps from qemu-img, got one')
    appendExtent(extents, {
      offset: position,
      length: stop - position,
      kind: isData(entry) ? 'data' : 'zero',
    })
    position = stop
  }
  if (position < end) appendExtent(extents, { offset: position, length: end - position, kind: 'zero' })
  return extents
}
