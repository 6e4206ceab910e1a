/** The disk that the benchmarks move: half of it data, half of it holes. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { runProcess } from '../block-io/process.ts'
import { GiB, MiB } from '../domain/sizes.ts'
import { pseudoRandom } from '../scripts/demo/contents.ts'

export const DISK_BYTES = 2 * GiB
export const DISK_DATA_MIB = 1024

const PIECE_BYTES = 64 * MiB

/** Every second 64 MiB are data. With `compressible`, half of the data is text that compresses to half. */
export async function makeDisk(path: string, { compressible }: { compressible: boolean }): Promise<void> {
  await using file = await open(path, 'w')
  await file.truncate(DISK_BYTES)
  for (let offset = 0; offset < DISK_BYTES; offset += 2 * PIECE_BYTES) {
    const isText = compressible && (offset / PIECE_BYTES) % 4 === 0
    const bytes = isText
      ? Buffer.from(pseudoRandom(PIECE_BYTES / 2, `${offset}`).toString('hex'))
      : pseudoRandom(PIECE_BYTES, `${offset}`)
    await file.write(bytes, 0, bytes.length, offset)
  }
}

/** A plain copy that is on the disk when it ends: no program that does more can be faster for long. */
export async function copyAndSync(from: string, to: string): Promise<void> {
  await runProcess('cp', ['--sparse=always', '--reflink=never', from, to])
  await runProcess('sync', ['--data', to])
}

/** Reads a file once, so that it is in memory for everyone alike. */
export async function warm(path: string): Promise<void> {
  for await (const _ of createReadStream(path, { highWaterMark: 4 * MiB })) continue
}
