import { constants, copyFile, open, rm } from 'node:fs/promises'
import { fileError } from './file-errors.ts'

/**
 * Makes the target a durable copy of the source that shares its blocks, where the file system can; replaces what the target was.
 * False, and no target, where it cannot. Throws DriverError for every other failure.
 */
export async function tryReflink(sourcePath: string, targetPath: string): Promise<boolean> {
  await rm(targetPath, { force: true }).catch(fileError)
  try {
    await copyFile(sourcePath, targetPath, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL)
    const file = await open(targetPath, 'r+')
    try {
      await file.sync()
    } finally {
      await file.close()
    }
    return true
  } catch (error) {
    await rm(targetPath, { force: true }).catch(fileError)
    if (error instanceof Error && 'code' in error && CANNOT.has(String(error.code))) return false
    return fileError(error)
  }
}

/** What kernels and file systems answer to FICLONE when they do not have it, or not between these two files. */
const CANNOT = new Set(['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EXDEV', 'EINVAL'])
