import { randomBytes, randomUUID } from 'node:crypto'
import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BlockReader } from '../../block-io/device.ts'
import { commitBackup } from '../../backup-format/commit.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { restoreBackup } from '../../backup-format/restore.ts'
import { createKeyring, type Keyring } from '../../backup-format/unlock.ts'
import type { UploadRequest } from '../../backup-format/upload-request.ts'
import { uploadBackup, type UploadResult } from '../../backup-format/upload.ts'
import { KiB } from '../../domain/sizes.ts'
import { tempDir } from '../support/temp-dir.ts'
import { MemoryTarget } from './memory-target.ts'

export const DOMAIN = 'project-1'
export const KEY = Buffer.alloc(32, 7)
/** Small, so that a test's volume has many chunks and several index pages. */
export const SHAPE = { chunkBytes: 64 * KiB, pageEntries: 8 }

/** Of a process that has opened nothing yet. */
export function keyring(key: Uint8Array = KEY): Keyring {
  return createKeyring(async () => [{ kind: 'key-file', key }])
}

export async function memoryRepository(): Promise<{ repository: Repository; target: MemoryTarget }> {
  const target = new MemoryTarget()
  return { repository: await createOrOpenRepository(target, keyring(), SHAPE), target }
}

export interface Image {
  readonly path: string
  readonly bytes: Buffer
}

/** Chunks of random bytes (`r`), of text (`t`), or holes (`.`). */
export async function makeImage(pattern: string, chunkBytes = SHAPE.chunkBytes): Promise<Image> {
  const bytes = Buffer.concat(
    pattern.split('').map((kind) => {
      if (kind === '.') return Buffer.alloc(chunkBytes)
      if (kind === 'r') return randomBytes(chunkBytes)
      return Buffer.alloc(chunkBytes, `${kind} ${randomUUID()} `)
    }),
  )
  return writeImage(bytes)
}

export async function writeImage(bytes: Buffer): Promise<Image> {
  const path = join(await tempDir(), 'volume')
  await writeFile(path, bytes)
  return { path, bytes }
}

export function uploadRequest(
  image: { path: string; bytes: { length: number } },
  more: Partial<UploadRequest> = {},
): UploadRequest {
  return {
    domain: DOMAIN,
    backupId: randomUUID(),
    sizeBytes: image.bytes.length,
    volume: { name: 'disk' },
    writerToken: 1,
    source: { kind: 'file', path: image.path, sizeBytes: image.bytes.length },
    signal: new AbortController().signal,
    ...more,
  }
}

/** Uploads and commits. */
export async function backUp(
  repository: Repository,
  image: Image,
  more: Partial<UploadRequest> = {},
): Promise<UploadResult & { backupId: string }> {
  const request = uploadRequest(image, more)
  const result = await uploadBackup(repository, request)
  await commitBackup(repository, request)
  return { ...result, backupId: request.backupId }
}

/** The backup's bytes, restored to a new file of zeroes. */
export async function restored(
  repository: Repository,
  backupId: string,
  sizeBytes: number,
  domain = DOMAIN,
): Promise<Buffer> {
  const path = join(await tempDir(), 'restored')
  await writeFile(path, '')
  await truncate(path, sizeBytes)
  await restoreBackup(repository, {
    domain,
    backupId,
    destination: { kind: 'file', path, sizeBytes },
    freshTarget: true,
    signal: new AbortController().signal,
  })
  return readFile(path)
}

export async function overwrite(image: Image, offset: number, bytes: Buffer): Promise<void> {
  bytes.copy(image.bytes, offset)
  const file = await open(image.path, 'r+')
  await file.write(bytes, 0, bytes.length, offset)
  await file.close()
}

export function bufferReader(bytes: Buffer, wait = async () => {}): BlockReader {
  return {
    sizeBytes: bytes.length,
    read: async (buffer, offset) => {
      await wait()
      bytes.copy(buffer, 0, offset, offset + buffer.length)
    },
    extents: async (offset, length) => [{ offset, length, kind: 'data' }],
    close: async () => {},
  }
}

export function keysOf(target: MemoryTarget, part: string): string[] {
  return [...target.objects.keys()].filter((key) => key.includes(part))
}
