import { access, constants, mkdir, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { fileError } from '../../../block-io/file-errors.ts'
import { DriverError } from '../../../domain/errors.ts'

/** Makes the names in a folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(fileError)
  try {
    await handle.sync().catch(fileError)
  } finally {
    await handle.close()
  }
}

/** Without the target's folder it is away, as a share that is not mounted, and nothing can be said about what is in it. */
export async function requireFolder(folder: string): Promise<undefined> {
  await stat(folder).catch((error: unknown) => {
    if (!isMissing(error)) fileError(error)
    throw new DriverError('transient', "Expected the target's folder to be there, it is not: is it mounted?")
  })
}

/** What seems missing in a folder that is away may be there. */
export async function whileThere<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof DriverError && (error.kind === 'notFound' || isMissing(error.cause)))
      await requireFolder(folder)
    throw error
  }
}

/** Makes a folder somewhere below `root`, durably. */
export async function makeFolder(root: string, folder: string): Promise<void> {
  await requireFolder(root)
  const created = await mkdir(folder, { recursive: true }).catch(async (error: unknown) => {
    // Node answers ENOENT for several levels of a read-only file system.
    await access(root, constants.W_OK).catch(fileError)
    return fileError(error)
  })
  if (created === undefined) return
  for (let parent = dirname(folder); parent.length >= root.length; parent = dirname(parent))
    await syncFolder(parent)
}

export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
