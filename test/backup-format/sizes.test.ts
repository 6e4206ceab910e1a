/** Volumes that are no multiple of a chunk, that grow between two backups, and that are far larger than what they hold. */
import { randomBytes } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commitBackup } from '../../backup-format/commit.ts'
import { createOrOpenRepository, type Repository } from '../../backup-format/repository.ts'
import { restoreBackup } from '../../backup-format/restore.ts'
import type { UploadRequest } from '../../backup-format/upload-request.ts'
import { uploadBackup } from '../../backup-format/upload.ts'
import type { BlockDevice, DeviceSpec } from '../../block-io/device.ts'
import { serveDevice } from '../../block-io/export.ts'
import { runProcess } from '../../block-io/process.ts'
import { KiB, MiB, TiB } from '../../domain/sizes.ts'
import { tempDir } from '../support/temp-dir.ts'
import {
  backUp,
  DOMAIN,
  keyring,
  memoryRepository,
  restored,
  SHAPE,
  uploadRequest,
  writeImage,
} from './fixtures.ts'
import { MemoryTarget } from './memory-target.ts'

const CHUNK = SHAPE.chunkBytes
const signal = new AbortController().signal

test('each of a chain of backups has the bytes of its time, with any sizes, writes and lists of changes', async () => {
  const write = fc.record({ at: fc.double({ min: 0, max: 0.999, noNaN: true }), length: fc.nat(2 * CHUNK) })
  const round = fc.record({
    grownBytes: fc.constantFrom(0, 0, 1, 512, CHUNK - 1, CHUNK, 3 * CHUNK + 512, 9 * CHUNK),
    writes: fc.array(fc.record({ where: write, zero: fc.boolean() }), { maxLength: 4 }),
    isListed: fc.boolean(),
  })
  const chains = fc.array(round, { minLength: 2, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 20 * CHUNK }), chains, async (firstBytes, rounds) => {
      const { repository } = await memoryRepository()
      let bytes = randomBytes(firstBytes)
      let parentBackupId = (await backUp(repository, await writeImage(bytes))).backupId
      for (const { grownBytes, writes, isListed } of rounds) {
        bytes = Buffer.concat([bytes], bytes.length + grownBytes)
        const changedRanges = writes.map(({ where, zero }) => {
          const offset = Math.floor(where.at * bytes.length)
          const length = Math.min(where.length, bytes.length - offset)
          ;(zero ? Buffer.alloc(length) : randomBytes(length)).copy(bytes, offset)
          return { offset, length }
        })
        const list = isListed ? { changedRanges } : {}
        const image = await writeImage(bytes)
        const { backupId } = await backUp(repository, image, { parentBackupId, ...list })
        expect((await restored(repository, backupId, bytes.length)).equals(bytes)).toBe(true)
        parentBackupId = backupId
      }
    }),
    { numRuns: 20 },
  )
})

test('a restored volume takes no space for the zeroes inside of a chunk', async () => {
  const shape = { chunkBytes: MiB, pageEntries: 8 }
  const repository = await createOrOpenRepository(new MemoryTarget(), keyring(), shape)
  const bytes = Buffer.alloc(8 * MiB)
  for (let at = 0; at < bytes.length; at += MiB) randomBytes(64 * KiB).copy(bytes, at + 256 * KiB)
  const { backupId } = await backUp(repository, await writeImage(bytes))
  const path = await sparseFile(bytes.length)
  const destination = { kind: 'file', path, sizeBytes: bytes.length } as const
  await restoreBackup(repository, { domain: DOMAIN, backupId, destination, freshTarget: true, signal })
  expect((await stat(path)).blocks * 512).toBeLessThan(2 * 8 * 64 * KiB)
})

test.each([
  ['a plain file of 1 TiB', TiB + MiB, false],
  ['a qcow2 of 16 TiB', 16 * TiB - MiB, true],
])(
  '%s with a few bytes is backed up, incrementally too, and restored sparse',
  async (_name, sizeBytes, isQcow2) => {
    const repository = await createOrOpenRepository(new MemoryTarget(), keyring())
    // The second one lies in two chunks.
    const marks = [0, TiB / 2 - 3, sizeBytes - 700]
    const volume = isQcow2 ? await emptyQcow2(sizeBytes) : await emptyRaw(sizeBytes)
    await writeMarks(volume, marks, 1)
    const full = await backUpDevice(repository, volume)
    await writeMarks(volume, marks.slice(1, 2), 2)
    const changedRanges = [{ offset: marks[1] ?? 0, length: MARK_BYTES }]
    const next = await backUpDevice(repository, volume, { parentBackupId: full.backupId, changedRanges })
    expect([full.totals.newChunks, next.totals.newChunks]).toEqual([4, 2])

    const copy = isQcow2 ? await emptyQcow2(sizeBytes) : await emptyRaw(sizeBytes)
    await withSpec(copy, true, (destination) =>
      restoreBackup(repository, {
        ...{ domain: DOMAIN, backupId: next.backupId, destination, freshTarget: true, signal },
      }),
    )
    const { stdout } = await runProcess('qemu-img', ['compare', nameOf(volume), nameOf(copy)])
    expect(stdout).toMatch(/^Images are identical/)
    expect((await stat(fileOf(copy))).blocks * 512).toBeLessThan(8 * MiB)
  },
  120_000,
)

const MARK_BYTES = 600

async function sparseFile(sizeBytes: number): Promise<string> {
  const path = join(await tempDir(), 'disk')
  await using file = await open(path, 'w')
  await file.truncate(sizeBytes)
  return path
}

async function emptyRaw(sizeBytes: number): Promise<BlockDevice> {
  const path = await sparseFile(sizeBytes)
  const blockdev = { driver: 'raw', file: { driver: 'file', filename: path } }
  return { sizeBytes, plainFile: path, blockdev }
}

async function emptyQcow2(sizeBytes: number): Promise<BlockDevice> {
  const path = join(await tempDir(), 'disk')
  await runProcess('qemu-img', ['create', '-q', '-f', 'qcow2', path, String(sizeBytes)])
  return { sizeBytes, blockdev: { driver: 'qcow2', file: { driver: 'file', filename: path } } }
}

async function writeMarks(device: BlockDevice, offsets: readonly number[], byte: number): Promise<void> {
  const commands = offsets.flatMap((offset) => ['-c', `write -P ${byte} ${offset} ${MARK_BYTES}`])
  await runProcess('qemu-io', [...commands, nameOf(device)])
}

async function backUpDevice(repository: Repository, device: BlockDevice, more: Partial<UploadRequest> = {}) {
  return withSpec(device, false, async (source) => {
    const request = uploadRequest({ path: '', bytes: { length: device.sizeBytes } }, { ...more, source })
    const { totals } = await uploadBackup(repository, request)
    await commitBackup(repository, request)
    return { totals, backupId: request.backupId }
  })
}

async function withSpec<T>(
  device: BlockDevice,
  writable: boolean,
  work: (spec: DeviceSpec) => Promise<T>,
): Promise<T> {
  const { plainFile, sizeBytes } = device
  if (plainFile !== undefined) return work({ kind: 'file', path: plainFile, sizeBytes })
  const served = await serveDevice(device, { socketDirectory: await tempDir(), confined: false, writable })
  try {
    return await work(served.spec)
  } finally {
    await served.close()
  }
}

function fileOf({ blockdev }: BlockDevice): string {
  const { file } = blockdev
  const name = typeof file === 'object' ? file?.['filename'] : undefined
  if (typeof name !== 'string') throw new Error('Expected a file')
  return name
}

function nameOf({ blockdev }: BlockDevice): string {
  return `json:${JSON.stringify(blockdev)}`
}
