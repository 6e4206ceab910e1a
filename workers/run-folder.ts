import { createHash, randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { RUN_TAG } from '../block-io/process.ts'
import { killOrphans } from './orphans.ts'

const TAG_FILE = 'tag'

/**
 * A folder of this process for sockets, with a path short enough for one. Folders of processes that are gone are removed, and with
 * them what those may have left running: kill -9 leaves them behind.
 */
export async function makeRunFolder(dataFolder: string): Promise<string> {
  const folder = join(parentOf(dataFolder), String(process.pid))
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const tag = randomUUID()
  await writeFile(join(folder, TAG_FILE), tag)
  process.env[RUN_TAG] = tag
  for (const left of await deadRunFolders(dataFolder)) await clearRunFolder(left)
  return folder
}

/** Run folders of processes that are gone. */
export async function deadRunFolders(dataFolder: string): Promise<string[]> {
  const parent = parentOf(dataFolder)
  const names = await readdir(parent).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => !isRunning(Number(name))).map((name) => join(parent, name))
}

/** Of a process that is gone: with it goes what that may have left running. */
export async function clearRunFolder(folder: string): Promise<void> {
  const tag = await readFile(join(folder, TAG_FILE), 'utf8').catch(() => '')
  if (tag !== '') await killOrphans(tag)
  await rm(folder, { recursive: true, force: true })
}

export async function removeRunFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  // Another process may have its own folder beside ours.
  await rmdir(dirname(folder)).catch(() => undefined)
}

function parentOf(dataFolder: string): string {
  return join(tmpdir(), `volflow-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)}`)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
