import { randomBytes } from 'node:crypto'
import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CinderBackup, listLocations, readBackup } from '../../../backup-format/cinder/backup.ts'
import type { BackupLocation } from '../../../domain/cinder-names.ts'
import { restoreCinderBackup, type CinderRestoreRequest } from '../../../backup-format/cinder/restore.ts'
import type { CinderStore } from '../../../backup-format/cinder/store.ts'
import { KiB, MiB } from '../../../domain/sizes.ts'
import type { CinderService } from '../../support/cinder/cinder-service.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** Neither whole chunks nor zeroes only: data, text that compresses, holes. */
export async function makeVolume(sizeBytes = 5 * MiB): Promise<string> {
  const path = join(await tempDir(), 'volume')
  await writeFile(path, '')
  await truncate(path, sizeBytes)
  await write(path, 0, randomBytes(1.5 * MiB))
  await write(path, 2 * MiB + 5, Buffer.alloc(700_000, 'words that compress well. '))
  await write(path, sizeBytes - 3 * KiB, randomBytes(3 * KiB))
  return path
}

export async function write(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+')
  await file.write(bytes, 0, bytes.length, offset)
  await file.close()
}

export interface Link {
  readonly backupId: string
  readonly content: Buffer
}

/**
 * A full backup and three that build on it, each with another compression: changed data, data that became zeroes (the second time
 * right after they were written), and changes on both sides of a chunk's end.
 */
export async function writeChain(cinder: CinderService, volumeId: string, path: string): Promise<Link[]> {
  const links: Link[] = []
  const backUp = async (compression: 'zlib' | 'gzip' | 'bz2' | 'zstd' | 'none') => {
    const parentId = links.at(-1)?.backupId
    const { backupId } = await cinder.backup({
      volumeId,
      path,
      compression,
      name: `link ${links.length}`,
      ...(parentId === undefined ? {} : { parentId }),
    })
    links.push({ backupId, content: await readFile(path) })
  }
  await backUp('gzip')
  await write(path, 40 * KiB, Buffer.alloc(100 * KiB, 'second '))
  await write(path, 4 * MiB, randomBytes(64 * KiB))
  await backUp('bz2')
  await write(path, 0, Buffer.alloc(1.2 * MiB))
  await write(path, 4 * MiB, Buffer.alloc(64 * KiB))
  await backUp('zstd')
  await write(path, MiB - 10, Buffer.alloc(20, 'x'))
  await backUp('none')
  return links
}

export async function locate(store: CinderStore, backupId: string): Promise<BackupLocation> {
  for await (const location of listLocations(store)) if (location.backupId === backupId) return location
  throw new Error(`There is no backup ${backupId} in the store`)
}

export async function read(store: CinderStore, backupId: string): Promise<CinderBackup> {
  return readBackup(store, await locate(store, backupId))
}

/** Into a new file, or into one whose bytes are given. */
export async function restored(
  store: CinderStore,
  backupId: string,
  options: Partial<CinderRestoreRequest> & { into?: Buffer; sizeBytes?: number } = {},
): Promise<Buffer> {
  const { into, sizeBytes = 5 * MiB, ...request } = options
  const path = join(await tempDir(), 'restored')
  await writeFile(path, into ?? '')
  await truncate(path, sizeBytes)
  await restoreCinderBackup(store, {
    location: await locate(store, backupId),
    destination: { kind: 'file', path, sizeBytes },
    freshTarget: into === undefined,
    signal: new AbortController().signal,
    ...request,
  })
  return readFile(path)
}
