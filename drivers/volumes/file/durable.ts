/** Small steps on files that survive a power cut, and the errors of the file system in the words of drivers. */
import { lstat, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { getSystemErrorMessage } from 'node:util'
import { DriverError, type DriverErrorKind } from '../../../domain/errors.ts'

const KINDS: Readonly<Record<string, DriverErrorKind>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  ENOENT: 'notFound',
  EACCES: 'invalid',
  EPERM: 'invalid',
  EROFS: 'invalid',
  ENOTDIR: 'invalid',
  EMLINK: 'unsupported',
}

/** Runs one call of a driver: what is not yet a DriverError becomes one. `task` completes "Expected to …". */
export async function asDriverCall<T>(task: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call()
  } catch (error) {
    throw toDriverError(task, error)
  }
}

/**
 * The same for calls on a place that lies in these folders. Without them it is away (a share that is not mounted), and nothing can be
 * said about what is in it: worth another try.
 */
export function driverCalls(folders: readonly string[]): typeof asDriverCall {
  return async (task, call) => {
    try {
      return await asDriverCall(task, call)
    } catch (error) {
      if (error instanceof DriverError && error.kind === 'notFound') await requireFolders(task, folders)
      throw error
    }
  }
}

export async function requireFolders(task: string, folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    if (await exists(folder)) continue
    const name = basename(folder)
    throw new DriverError(
      'transient',
      `Expected to ${task}, but the folder ${name} is not there: is it mounted?`,
    )
  }
}

function toDriverError(task: string, error: unknown): DriverError {
  if (error instanceof DriverError) return error
  const code = errorCode(error)
  const kind = (code === undefined ? undefined : KINDS[code]) ?? 'transient'
  return new DriverError(kind, `Expected to ${task}, got: ${describe(error)}`, { cause: error })
}

export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Node's own message would name the path on this host; the system's words do not. */
function describe(error: unknown): string {
  if (error instanceof Error && 'errno' in error && typeof error.errno === 'number') {
    return getSystemErrorMessage(error.errno)
  }
  return error instanceof Error ? error.message : String(error)
}

/** Flushes a file's bytes or a directory's names. */
export async function syncPath(path: string): Promise<void> {
  await using handle = await open(path, 'r')
  await handle.sync()
}

export async function exists(path: string): Promise<boolean> {
  return (await ifPresent(lstat(path))) !== undefined
}

/** The result, or undefined when the file system says that there is no such thing. */
export async function ifPresent<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}
