import { open, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../../block-io/process.ts'
import { MiB } from '../../domain/sizes.ts'
import { locate } from '../setup/locate.ts'
import { pseudoRandom, sha256OfFile } from './contents.ts'

export interface Change {
  /** How it was made: `debugfs` or `write`. */
  readonly path: string
  readonly bytes: number
  /** Where a guest finds the new bytes, and their SHA-256; undefined where they are in no file. */
  readonly file?: { readonly guestPath: string; readonly sha256: string }
}

const NEW_BYTES = 8 * MiB
const NEW_FILE = 'volflow-demo.bin'
/** Of the ext2, ext3 and ext4 superblock. */
const EXT_MAGIC = { offset: 1080, value: 0xef53 }

/**
 * Does to a volume's file what a guest would have done: a new file where there is a file system that we can write, else new bytes at
 * the end, which is free because the volume was made larger. Nobody may have it open.
 */
export async function changeVolume(volumePath: string, folder: string, signal: AbortSignal): Promise<Change> {
  const bytes = pseudoRandom(NEW_BYTES, 'change')
  if (locate('debugfs') === undefined || !(await hasExtFileSystem(volumePath))) {
    await writeAtEnd(volumePath, bytes)
    return { path: 'write', bytes: bytes.length }
  }
  const sourcePath = join(folder, NEW_FILE)
  await writeFile(sourcePath, bytes)
  await runProcess('debugfs', ['-w', '-R', `write ${sourcePath} ${NEW_FILE}`, volumePath], { signal })
  const sha256 = await sha256OfFile(sourcePath, signal)
  return { path: 'debugfs', bytes: bytes.length, file: { guestPath: `/${NEW_FILE}`, sha256 } }
}

async function hasExtFileSystem(path: string): Promise<boolean> {
  await using file = await open(path, 'r')
  const { buffer } = await file.read(Buffer.alloc(2), 0, 2, EXT_MAGIC.offset)
  return buffer.readUInt16LE() === EXT_MAGIC.value
}

async function writeAtEnd(path: string, bytes: Buffer): Promise<void> {
  await using file = await open(path, 'r+')
  const { size } = await file.stat()
  await file.write(bytes, 0, bytes.length, size - bytes.length)
  await file.sync()
}
