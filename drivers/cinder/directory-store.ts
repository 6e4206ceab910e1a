/** A folder as Cinder's drivers for POSIX file systems, NFS and GlusterFS fill it. Nothing outside of it is read or written. */
import { constants, createReadStream, createWriteStream } from 'node:fs'
import { copyFile, type FileHandle, open, realpath, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { CinderStore, StoreBody } from '../../backup-format/cinder/store.ts'
import { fileError } from '../../block-io/file-errors.ts'
import { DriverError } from '../../domain/errors.ts'
import { makeFolder, requireFolder, syncFolder, whileThere } from '../backups/directory/folders.ts'
import {
  listAbandoned,
  prepareTempFolder,
  removeAbandoned,
  tempPath,
} from '../backups/directory/temp-files.ts'
import { walk } from '../backups/directory/walk.ts'

export function openDirectoryStore(root: string): CinderStore {
  let prepared: Promise<void> | undefined
  const ready = () => (prepared ??= prepareTempFolder(root))
  return {
    kind: 'directory',
    list: (prefix) => walk(root, prefix),
    get: async (key, { range, signal } = {}) => {
      const file = await openInside(root, pathOf(root, key))
      if (file === undefined) return undefined
      if (range !== undefined && range[0] >= range[1]) {
        await file.close()
        return Readable.from([])
      }
      const part = range === undefined ? {} : { start: range[0], end: range[1] - 1 }
      return createReadStream('', { fd: file, ...part, ...(signal && { signal }) })
    },
    put: async (key, body, { signal } = {}) => {
      await whileThere(root, async () => {
        await ready()
        await place(root, key, (temp) => writeFile(temp, body, signal))
      })
    },
    copy: async (from, to) => {
      const source = await openInside(root, pathOf(root, from))
      if (source === undefined) throw new DriverError('notFound', `Expected ${from}, it is not there`)
      await source.close()
      await whileThere(root, async () => {
        await ready()
        await place(root, to, (temp) =>
          copyFile(pathOf(root, from), temp, constants.COPYFILE_FICLONE).catch(fileError),
        )
      })
    },
    delete: async (key) => {
      await unlink(pathOf(root, key)).catch((error: unknown) =>
        isMissing(error) ? requireFolder(root) : fileError(error),
      )
    },
    leftovers: { list: () => listAbandoned(root), remove: () => removeAbandoned(root) },
    close: async () => undefined,
  }
}

/** A complete file gets its name in one step, and keeps it through a power cut. */
async function place(root: string, key: string, make: (temp: string) => Promise<void>): Promise<void> {
  const path = pathOf(root, key)
  await makeFolder(root, dirname(path))
  const temp = await tempPath(root)
  try {
    await make(temp)
    await sync(temp)
    await rename(temp, path).catch(fileError)
  } catch (error) {
    await unlink(temp).catch(() => undefined)
    throw error
  }
  await syncFolder(dirname(path))
}

async function sync(path: string): Promise<void> {
  const file = await open(path, 'r').catch(fileError)
  try {
    await file.datasync().catch(fileError)
  } finally {
    await file.close()
  }
}

/** Whoever may write to a share could leave a link to anything on this machine. */
async function openInside(root: string, path: string): Promise<FileHandle | undefined> {
  try {
    const [inside, folder] = await Promise.all([realpath(root), realpath(dirname(path))])
    if (folder !== inside && !folder.startsWith(`${inside}/`)) return undefined
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (error) {
    if (!isMissing(error)) return fileError(error)
    await requireFolder(root)
    return undefined
  }
}

/** Names come from metadata that others write. */
function pathOf(root: string, key: string): string {
  const segments = key.split('/')
  if (segments.every((segment) => segment !== '' && !segment.startsWith('.') && !segment.includes('\0')))
    return join(root, ...segments)
  throw new DriverError('invalid', `Expected a name within the target, got ${JSON.stringify(key)}`)
}

/** With the permissions that Cinder gives its files. */
async function writeFile(path: string, body: StoreBody, signal: AbortSignal | undefined): Promise<void> {
  const source = body instanceof Uint8Array ? Readable.from([body]) : body.open()
  try {
    await pipeline(source, createWriteStream(path, { flags: 'wx', mode: 0o660 }), {
      ...(signal && { signal }),
    })
  } catch (error) {
    signal?.throwIfAborted()
    fileError(error)
  }
}

/** A link counts as nothing. */
const MISSING = ['ENOENT', 'ENOTDIR', 'ELOOP']

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && MISSING.includes(String(error.code))
}
