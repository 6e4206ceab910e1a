import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** One `volflow up` per data folder. */
export function lockFolder(dataFolder: string): { release(): void } {
  return lockFile(
    join(dataFolder, 'up.lock'),
    `Another volflow runs on ${dataFolder}. Stop it, or choose another folder with --data.`,
  )
}

/** The lock is the kernel's, held through SQLite: it goes with the process, even after kill -9, so there is no stale lock to clear. */
export function lockFile(path: string, taken: string): { release(): void } {
  const lock = new DatabaseSync(path)
  try {
    lock.exec('pragma journal_mode = delete; begin exclusive')
  } catch (error) {
    lock.close()
    throw new Error(taken, { cause: error })
  }
  return { release: () => lock.close() }
}
