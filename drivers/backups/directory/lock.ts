import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError } from '../../../block-io/file-errors.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { makeFolder } from './folders.ts'

/**
 * Runs `work` while holding the key's lock against every process that shares the folder. The kernel holds the lock for our open
 * file, so it ends with us, however we end. (Node has no flock(); the program of that name locks the file that it inherits.)
 */
export async function withLock<T>(folder: string, key: string, work: () => Promise<T>): Promise<T> {
  const locks = join(folder, '.lock')
  await makeFolder(folder, locks)
  const file = await open(join(locks, lockName(key)), 'a').catch(fileError)
  try {
    await lock(file.fd, key)
    return await work()
  } finally {
    await file.close()
  }
}

async function lock(descriptor: number, key: string): Promise<void> {
  // Worker threads need no lock, and what starts programs takes longer to load than all the rest.
  const { runProcess } = await import('../../../block-io/process.ts')
  const timeoutSeconds = String(LIMITS.targetLockMs / 1000)
  try {
    await runProcess('flock', ['--exclusive', '--timeout', timeoutSeconds, '3'], {
      passFileDescriptors: [descriptor],
    })
  } catch (cause) {
    throw new DriverError('busy', `Expected to lock ${key} within ${timeoutSeconds} s, could not`, { cause })
  }
}

/** Few lock files for any number of keys; sharing one costs a moment of waiting. */
function lockName(key: string): string {
  return createHash('sha256').update(key).digest('hex').slice(0, 2)
}
