import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/**
 * One `volflow up` per data folder. The lock is the kernel's, held through SQLite: it goes with the process, even after kill -9,
 * so there is no stale lock to clear.
 */
export function lockFolder(dataFolder: string): { release(): void } {
  const lock = new DatabaseSync(join(dataFolder, 'up.lock'))
  try {
    lock.exec('pragma journal_mode = delete; begin exclusive')
  } catch (error) {
    lock.close()
    throw new Error(`Another volflow runs on ${dataFolder}. Stop it, or choose another folder with --data.`, {
      cause: error,
    })
  }
  return { release: () => lock.close() }
}
