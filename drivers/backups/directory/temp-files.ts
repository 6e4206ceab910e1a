/** Files being written. Their names say by whom, so that what a killed process left is found and removed. */
import { createHash, randomUUID } from 'node:crypto'
import { open, readdir, readFile, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { fileError } from '../../../block-io/file-errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { makeFolder } from './folders.ts'

const FOLDER = '.tmp'
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 16)

export async function prepareTempFolder(folder: string): Promise<void> {
  await makeFolder(folder, join(folder, FOLDER))
  await removeAbandoned(folder)
}

/** Names of what processes left that are gone. */
export async function listAbandoned(folder: string): Promise<string[]> {
  const names = await readdir(join(folder, FOLDER)).catch((error: NodeJS.ErrnoException) =>
    error.code === 'ENOENT' ? [] : fileError(error),
  )
  const abandoned: string[] = []
  for (const name of names) {
    if (await isAbandoned(join(folder, FOLDER, name), name)) abandoned.push(name)
  }
  return abandoned
}

export async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await listAbandoned(folder)) await unlink(join(folder, FOLDER, name)).catch(ignore)
}

/** A name for a file of ours that nobody else takes; it is removed some day if we are killed. */
export async function tempPath(folder: string): Promise<string> {
  return join(folder, FOLDER, `${await owner()}.${randomUUID()}`)
}

/** A complete, flushed file; the caller links, renames or removes it. Aborted or failed: nothing stays. */
export async function writeTemp(folder: string, bytes: Uint8Array, signal?: AbortSignal): Promise<string> {
  const path = await tempPath(folder)
  const file = await open(path, 'wx').catch(fileError)
  try {
    signal?.throwIfAborted()
    await file.writeFile(bytes).catch(fileError)
    signal?.throwIfAborted()
    await file.datasync().catch(fileError)
    signal?.throwIfAborted()
    return path
  } catch (error) {
    await unlink(path)
    throw error
  } finally {
    await file.close()
  }
}

let ownName: Promise<string> | undefined

async function owner(): Promise<string> {
  ownName ??= startOf(process.pid).then((start) => `${HOST}.${process.pid}.${start ?? 0}`)
  return ownName
}

/** Its process is gone; of processes on other machines we know only the file's age. */
async function isAbandoned(path: string, name: string): Promise<boolean> {
  const [host, pid, start] = name.split('.')
  if (host === HOST) return String((await startOf(Number(pid))) ?? '') !== start
  const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: Infinity }))
  return Date.now() - mtimeMs > LIMITS.foreignTempMaxMs
}

/** When a process started, in ticks since boot: tells it from a later one with the same number. */
async function startOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  // The second field is the program's name in parentheses, which may hold anything; the start is the 22nd.
  return line?.slice(line.lastIndexOf(')') + 2).split(' ')[19]
}

function ignore(): void {}
