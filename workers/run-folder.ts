import { createHash } from 'node:crypto'
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/**
 * A folder of this process for sockets, with a path short enough for one. Folders of processes that are gone are removed: kill -9
 * leaves them behind.
 */
export async function makeRunFolder(dataFolder: string): Promise<string> {
  const parent = join(
    tmpdir(),
    `volflow-${createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)}`,
  )
  const folder = join(parent, String(process.pid))
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const name of await readdir(parent)) {
    if (!isRunning(Number(name))) await rm(join(parent, name), { recursive: true, force: true })
  }
  return folder
}

export async function removeRunFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
  // Another process may have its own folder beside ours.
  await rmdir(dirname(folder)).catch(() => undefined)
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
