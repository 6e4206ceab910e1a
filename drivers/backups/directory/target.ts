/**
 * A repository in a folder, which may be on a network share. An object is a file; it appears by link() or rename() of a complete,
 * flushed temporary file, and is never changed in place.
 */
import { createHash } from 'node:crypto'
import { access, link, open, readFile, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import pMap from 'p-map'
import type { BackupTarget, StoredObject } from '../../../backup-format/target.ts'
import { fileError } from '../../../block-io/file-errors.ts'
import { DriverError } from '../../../domain/errors.ts'
import { LIMITS } from '../../../domain/limits.ts'
import { checkKey, checkPrefix } from '../object-key.ts'
import { isMissing, makeFolder, requireFolder, syncFolder, whileThere } from './folders.ts'
import { withLock } from './lock.ts'
import { listAbandoned, prepareTempFolder, removeAbandoned, writeTemp } from './temp-files.ts'
import { walk } from './walk.ts'

/** The folder must exist: a share that is not mounted is an error, not an empty repository. */
export function openDirectoryTarget(folder: string): BackupTarget {
  let prepared: Promise<void> | undefined
  const ready = () => (prepared ??= prepareTempFolder(folder))
  const pathOf = (key: string) => {
    checkKey(key)
    return join(folder, key)
  }
  return {
    kind: 'directory',
    putIfAbsent: async (key, bytes, { signal } = {}) => {
      const path = pathOf(key)
      return whileThere(folder, async () => {
        await ready()
        if (await exists(folder, path)) return confirmExisting(path)
        const temp = await writeTemp(folder, bytes, signal)
        try {
          return await linkOnce(folder, temp, path)
        } finally {
          await unlink(temp)
        }
      })
    },
    replace: async (key, bytes, version) => {
      const path = pathOf(key)
      await ready()
      const swap = async () => {
        const current = await read(folder, path)
        if (current === undefined || versionOf(current) !== version) return 'conflict'
        const temp = await writeTemp(folder, bytes)
        await rename(temp, path).catch(async (error: unknown) => {
          await unlink(temp)
          fileError(error)
        })
        await syncFolder(dirname(path))
        return { version: versionOf(bytes) }
      }
      return whileThere(folder, () => withLock(folder, key, swap))
    },
    get: async (key, { signal, into } = {}) => {
      signal?.throwIfAborted()
      if (into !== undefined) return readInto(folder, pathOf(key), into)
      const bytes = await read(folder, pathOf(key))
      return bytes === undefined ? undefined : { bytes, version: versionOf(bytes) }
    },
    list: (prefix) => {
      checkPrefix(prefix)
      return walk(folder, prefix)
    },
    delete: (key) => remove(folder, pathOf(key)),
    deleteMany: async (keys, { signal } = {}) => {
      const options = { concurrency: LIMITS.targetRequests, ...(signal && { signal }) }
      await pMap(keys, (key) => remove(folder, pathOf(key)), options)
      return { locked: [] }
    },
    leftovers: { list: () => listAbandoned(folder), remove: () => removeAbandoned(folder) },
    close: async () => undefined,
  }
}

/** Of many racers, link() lets one win. */
async function linkOnce(folder: string, temp: string, path: string): Promise<'created' | 'exists'> {
  const outcome = await tryLink(temp, path)
  if (outcome === 'exists') return confirmExisting(path)
  if (outcome === 'noFolder') {
    await makeFolder(folder, dirname(path))
    const again = await tryLink(temp, path)
    if (again === 'exists') return confirmExisting(path)
    if (again === 'noFolder')
      throw new DriverError('transient', 'Expected the folder of a new object to stay')
  }
  await syncFolder(dirname(path))
  return 'created'
}

/** The winner may not have come to flushing the folder yet, but our caller relies on the object from now on. */
async function confirmExisting(path: string): Promise<'exists'> {
  await syncFolder(dirname(path))
  return 'exists'
}

async function tryLink(temp: string, path: string): Promise<'created' | 'exists' | 'noFolder'> {
  try {
    await link(temp, path)
    return 'created'
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return 'exists'
    if (isMissing(error)) return 'noFolder'
    return fileError(error)
  }
}

async function exists(folder: string, path: string): Promise<boolean> {
  try {
    await access(path)
    return true
  } catch (error) {
    if (!isMissing(error)) fileError(error)
    await requireFolder(folder)
    return false
  }
}

async function remove(folder: string, path: string): Promise<void> {
  await unlink(path).catch((error: unknown) => (isMissing(error) ? requireFolder(folder) : fileError(error)))
}

async function read(folder: string, path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if (!isMissing(error)) fileError(error)
    return requireFolder(folder)
  }
}

async function readInto(folder: string, path: string, into: Buffer): Promise<StoredObject | undefined> {
  const file = await open(path).catch((error: unknown) =>
    isMissing(error) ? requireFolder(folder) : fileError(error),
  )
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat().catch(fileError)
    const bytes = size <= into.byteLength ? into.subarray(0, size) : Buffer.allocUnsafeSlow(size)
    for (let filled = 0; filled < size;) {
      const { bytesRead } = await file.read(bytes, filled, size - filled, filled).catch(fileError)
      if (bytesRead === 0)
        throw new DriverError('corrupt', `Expected ${size} bytes in ${path}, got ${filled}`)
      filled += bytesRead
    }
    return { bytes, version: '' }
  } finally {
    await file.close()
  }
}

/** The same on every machine that shares the folder. */
function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
