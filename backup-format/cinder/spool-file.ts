import { randomUUID } from 'node:crypto'
import { type FileHandle, open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../../block-io/file-errors.ts'

/** A file without a name: it is gone when it is closed, or when we are killed. */
export async function openSpoolFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `spool-${randomUUID()}`)
  const file = await open(path, 'wx+', 0o600).catch(fileError)
  await unlink(path).catch(fileError)
  return file
}
