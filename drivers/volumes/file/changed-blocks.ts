/**
 * Two files that were cloned from each other share every block that neither has changed: the same bytes of the disk at the same
 * offset, which stay as they are for as long as both files need them.
 */
import { join } from 'node:path'
import type { ByteRange } from '../../../block-io/device.ts'
import { runProcess } from '../../../block-io/process.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import type { ChangedRanges } from '../driver.ts'

interface BlockExtent {
  readonly start: number
  readonly end: number
  readonly physical: number
  /** The bytes are exactly there: written, and neither compressed nor kept elsewhere. */
  readonly isExact: boolean
}

const EXTENT = /^ *\d+: +(\d+)\.\. *(\d+): +(\d+)\.\. *\d+: +\d+:(?: +\d+:)? *(\S*)$/
const EXACT_FLAGS = new Set(['', 'last', 'eof', 'shared', 'merged'])

export async function changedBlocks(from: string, to: string, signal?: AbortSignal): Promise<ChangedRanges> {
  const a = await blocksOf(join(from, '0.raw'), signal)
  const b = await blocksOf(join(to, '0.raw'), signal)
  return { ranges: differences(a, b) }
}

/** What the kernel says about the file's blocks (FIEMAP, which Node does not have), after it has written what it still held back. */
async function blocksOf(path: string, signal?: AbortSignal): Promise<BlockExtent[]> {
  const { stdout } = await runProcess('filefrag', ['-s', '-v', '-b1', path], {
    timeoutMs: LIMITS.stallMs,
    ...(signal === undefined ? {} : { signal }),
  })
  const lines = stdout.split('\n')
  const extents = lines.filter((line) => /^ *\d+:/.test(line)).map(parseExtent)
  if (lines.some((line) => / extents? found$/.test(line))) return extents
  throw new DriverError('unsupported', 'Expected a list of extents from filefrag, got none')
}

function parseExtent(line: string): BlockExtent {
  const [, start, last, physical, flags] = EXTENT.exec(line) ?? []
  if (flags === undefined) {
    throw new DriverError('unsupported', `Expected an extent from filefrag, got: ${line}`)
  }
  return {
    start: Number(start),
    end: Number(last) + 1,
    physical: Number(physical),
    isExact: flags.split(',').every((flag) => EXACT_FLAGS.has(flag)),
  }
}

/** Both in order of their offsets. */
function differences(a: readonly BlockExtent[], b: readonly BlockExtent[]): ByteRange[] {
  const cuts = [...new Set([...a, ...b].flatMap(({ start, end }) => [start, end]))].toSorted((x, y) => x - y)
  const [inA, inB] = [finder(a), finder(b)]
  const ranges: ByteRange[] = []
  for (const [index, offset] of cuts.entries()) {
    const end = cuts[index + 1]
    if (end === undefined || isShared(inA(offset), inB(offset))) continue
    const last = ranges.at(-1)
    if (last !== undefined && last.offset + last.length === offset) {
      ranges[ranges.length - 1] = { offset: last.offset, length: end - last.offset }
    } else ranges.push({ offset, length: end - offset })
  }
  return ranges
}

/** For offsets that only grow. */
function finder(extents: readonly BlockExtent[]): (offset: number) => BlockExtent | undefined {
  let index = 0
  return (offset) => {
    while ((extents[index]?.end ?? Infinity) <= offset) index += 1
    const extent = extents[index]
    return extent !== undefined && extent.start <= offset ? extent : undefined
  }
}

function isShared(a: BlockExtent | undefined, b: BlockExtent | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.isExact && b.isExact && a.physical - a.start === b.physical - b.start
}
