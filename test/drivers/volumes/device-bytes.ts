/** Bytes of a device, written and read by qemu's own tools: nothing of ours takes part. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlockDevice } from '../../../block-io/device.ts'
import { runProcess } from '../../../block-io/process.ts'
import { tempDir } from '../../support/temp-dir.ts'

export interface Pattern {
  readonly byte: number
  readonly offset: number
  readonly length: number
}

export async function writePattern(device: BlockDevice, { byte, offset, length }: Pattern): Promise<void> {
  const { stdout } = await runProcess('qemu-io', [
    '-c',
    `write -P ${byte} ${offset} ${length}`,
    nameOf(device),
  ])
  // qemu-io answers 0 even when the write failed.
  if (!stdout.includes(`wrote ${length}/${length} bytes`)) throw new Error(stdout)
}

export async function readAll(device: BlockDevice): Promise<Buffer> {
  const copy = join(await tempDir(), 'copy.raw')
  await runProcess('qemu-img', ['convert', '-O', 'raw', nameOf(device), copy])
  return readFile(copy)
}

/** Undefined when both are the same. (`toEqual` takes seconds for some MiB.) */
export function firstDifference(actual: Buffer, expected: Buffer): string | undefined {
  if (actual.equals(expected)) return undefined
  if (actual.length !== expected.length) return `${actual.length} bytes instead of ${expected.length}`
  const offset = actual.findIndex((byte, index) => byte !== expected[index])
  return `${actual[offset]} instead of ${expected[offset]} at ${offset}`
}

/** What a device of zeroes with these patterns, one after another, reads as. */
export function bytesOf(sizeBytes: number, ...patterns: Pattern[]): Buffer {
  const bytes = Buffer.alloc(sizeBytes)
  for (const { byte, offset, length } of patterns) bytes.fill(byte, offset, offset + length)
  return bytes
}

export function nameOf(device: BlockDevice): string {
  return `json:${JSON.stringify(device.blockdev)}`
}
