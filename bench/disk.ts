/** Files that the benchmarks move, and what others do to them. */
import { createReadStream } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../block-io/process.ts'
import { GiB, MiB } from '../domain/sizes.ts'
import { pseudoRandom } from '../scripts/demo/contents.ts'
import type { Stored } from './s3-place.ts'

export const DISK_BYTES = 2 * GiB

const PIECE_BYTES = 64 * MiB

/** Every second 64 MiB are data that nobody can compress. */
export async function makeDisk(path: string): Promise<void> {
  await using file = await open(path, 'w')
  await file.truncate(DISK_BYTES)
  for (let offset = 0; offset < DISK_BYTES; offset += 2 * PIECE_BYTES) {
    await file.write(pseudoRandom(PIECE_BYTES, `${offset}`), 0, PIECE_BYTES, offset)
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

/** What files hold, as `Stored` of an S3 place. */
export async function storedIn(folder: string): Promise<Stored> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async (file) => (await stat(join(file.parentPath, file.name))).size),
  )
  return { objects: sizes.length, mib: sizes.reduce((sum, size) => sum + size, 0) / MiB }
}
