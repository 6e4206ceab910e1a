import { randomBytes } from 'node:crypto'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openReader } from '../../block-io/reader.ts'
import { openWriter } from '../../block-io/writer.ts'
import { GiB, MiB, TiB } from '../../domain/sizes.ts'
import { tempDir } from '../support/temp-dir.ts'
import { dirtyFile, sparseFile } from './devices.ts'

test('the extents of a sparse file of 1 TiB are known in well under a second', async () => {
  const path = join(await tempDir(), 'sparse')
  const data = [0, 700, 500_000, 1_048_575].map((atMiB) => ({ atMiB, sizeMiB: 1 }))
  await sparseFile(path, TiB, data)
  const reader = await openReader({ kind: 'file', path, sizeBytes: TiB })
  const started = performance.now()
  const extents = await reader.extents(0, TiB)
  expect(performance.now() - started).toBeLessThan(1000)
  await reader.close()
  const found = extents
    .filter(({ kind }) => kind === 'data')
    .map(({ offset, length }) => [offset / MiB, length / MiB])
  expect(found).toEqual(data.map(({ atMiB, sizeMiB }) => [atMiB, sizeMiB]))
  expect(extents.reduce((sum, { length }) => sum + length, 0)).toBe(TiB)
})

test('extents of a part begin and end where the part does', async () => {
  const path = join(await tempDir(), 'sparse')
  await sparseFile(path, 8 * MiB, [{ atMiB: 2, sizeMiB: 2 }])
  const reader = await openReader({ kind: 'file', path, sizeBytes: 8 * MiB })
  expect(await reader.extents(MiB + 512, 2 * MiB)).toEqual([
    { offset: MiB + 512, length: MiB - 512, kind: 'zero' },
    { offset: 2 * MiB, length: MiB + 512, kind: 'data' },
  ])
  expect(await reader.extents(5 * MiB, 0)).toEqual([])
  await reader.close()
})

test('reading past the end is refused, and a file that is shorter than promised is corrupt', async () => {
  const path = join(await tempDir(), 'file')
  await sparseFile(path, 2 * MiB)
  const reader = await openReader({ kind: 'file', path, sizeBytes: 3 * MiB })
  await expect(reader.read(Buffer.alloc(MiB), 3 * MiB - 1)).rejects.toMatchObject({ kind: 'invalid' })
  await expect(reader.read(Buffer.alloc(2 * MiB), MiB)).rejects.toMatchObject({ kind: 'corrupt' })
  await reader.close()
  await expect(openReader({ kind: 'file', path: `${path}-none`, sizeBytes: 1 })).rejects.toMatchObject({
    kind: 'transient',
  })
})

test('what is written is read back, and zeroes of any length replace data and long ones free the space', async () => {
  const folder = await tempDir()
  const { plainFile = '' } = await dirtyFile(folder, 16 * MiB)
  const writer = await openWriter({ kind: 'file', path: plainFile, sizeBytes: 16 * MiB })
  const written = randomBytes(300_000)
  await writer.write(written, MiB + 7)
  await writer.writeZeroes(3, 5000)
  await writer.writeZeroes(4 * MiB, 8 * MiB)
  await writer.writeZeroes(0, 0)
  await writer.flush()
  await expect(writer.write(written, 16 * MiB - 1)).rejects.toMatchObject({ kind: 'invalid' })
  await writer.close()

  const file = await open(plainFile)
  const content = (await file.readFile()) as Buffer
  await file.close()
  expect(content.subarray(MiB + 7, MiB + 7 + written.length).equals(written)).toBe(true)
  expect(content.subarray(3, 5003).equals(Buffer.alloc(5000))).toBe(true)
  expect(content.subarray(0, 3).equals(Buffer.alloc(3))).toBe(false)
  expect(content.subarray(4 * MiB, 12 * MiB).equals(Buffer.alloc(8 * MiB))).toBe(true)
  expect(content.length).toBe(16 * MiB)
  expect((await stat(plainFile)).blocks * 512).toBeLessThan(9 * MiB)
})

test('a writer for a missing file is refused', async () => {
  const path = join(await tempDir(), 'none')
  await expect(openWriter({ kind: 'file', path, sizeBytes: GiB })).rejects.toMatchObject({
    kind: 'transient',
  })
})
