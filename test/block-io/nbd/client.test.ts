import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { expect, onTestFinished, test, vi } from 'vitest'
import { serveDevice } from '../../../block-io/export.ts'
import { openNbdWriter, openNbdReader } from '../../../block-io/nbd/reader.ts'
import { startProcess } from '../../../block-io/process.ts'
import { MiB } from '../../../domain/sizes.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { asQcow2, sparseFile } from '../devices.ts'

async function sparseExport() {
  const folder = await tempDir()
  const device = await sparseFile(join(folder, 'raw'), 64 * MiB, [
    { atMiB: 0, sizeMiB: 9 },
    { atMiB: 40, sizeMiB: 3 },
  ])
  const server = await serveDevice(await asQcow2(device), { socketDirectory: folder, confined: false })
  onTestFinished(() => server.close())
  return { content: await readFile(device.plainFile ?? ''), spec: server.spec }
}

test('reads of any size and place, many at a time, give the bytes of the device', async () => {
  const { content, spec } = await sparseExport()
  const reader = await openNbdReader(spec)
  const ranges = [
    [0, 64 * MiB],
    [MiB - 1, 2],
    [9 * MiB - 5, 10],
    [64 * MiB - 1, 1],
    [5, 0],
    ...Array.from({ length: 100 }, (_, i) => [i * 300_007, 70_001]),
  ] as [number, number][]
  await Promise.all(
    ranges.map(async ([offset, length]) => {
      const buffer = Buffer.alloc(length, 0xee)
      await reader.read(buffer, offset)
      expect(buffer.equals(content.subarray(offset, offset + length))).toBe(true)
    }),
  )
  await expect(reader.read(Buffer.alloc(2), 64 * MiB - 1)).rejects.toMatchObject({ kind: 'invalid' })
  await reader.close()
})

test('extents tell data from holes and cover exactly what was asked', async () => {
  const { spec } = await sparseExport()
  const reader = await openNbdReader(spec)
  expect(await reader.extents(0, 64 * MiB)).toEqual([
    { offset: 0, length: 9 * MiB, kind: 'data' },
    { offset: 9 * MiB, length: 31 * MiB, kind: 'zero' },
    { offset: 40 * MiB, length: 3 * MiB, kind: 'data' },
    { offset: 43 * MiB, length: 21 * MiB, kind: 'zero' },
  ])
  expect(await reader.extents(8 * MiB, 2 * MiB)).toEqual([
    { offset: 8 * MiB, length: MiB, kind: 'data' },
    { offset: 9 * MiB, length: MiB, kind: 'zero' },
  ])
  await reader.close()
})

test('a read-only export has no writer', async () => {
  const { spec } = await sparseExport()
  await expect(openNbdWriter(spec)).rejects.toMatchObject({ kind: 'invalid' })
})

test('writes, zeroes and a flush through qemu-nbd arrive in the file', async () => {
  const folder = await tempDir()
  const { plainFile = '' } = await sparseFile(join(folder, 'raw'), 32 * MiB, [{ atMiB: 0, sizeMiB: 32 }])
  const expected = await readFile(plainFile)
  const socketPath = join(folder, 's')
  const server = startProcess('qemu-nbd', ['-f', 'raw', '-k', socketPath, '-x', 'disk', '-t', plainFile])
  onTestFinished(() => server.stop())
  const spec = { kind: 'nbd', socketPath, exportName: 'disk', sizeBytes: 32 * MiB } as const
  const writer = await vi.waitFor(() => openNbdWriter(spec), 5_000)
  const written = randomBytes(9 * MiB)
  await Promise.all([
    writer.write(written, MiB + 512),
    writer.writeZeroes(20 * MiB, 5 * MiB),
    writer.write(written.subarray(0, 100), 11),
  ])
  await writer.flush()
  written.copy(expected, MiB + 512)
  expected.fill(0, 20 * MiB, 25 * MiB)
  written.copy(expected, 11, 0, 100)
  expect((await readFile(plainFile)).equals(expected)).toBe(true)
  await writer.close()
})

test('a reader works in a worker thread from the spec alone', async () => {
  const { content, spec } = await sparseExport()
  const module = new URL('../../../block-io/reader.ts', import.meta.url).href
  const worker = new Worker(
    `import { parentPort, workerData } from 'node:worker_threads'
     const { openReader } = await import(workerData.module)
     const reader = await openReader(workerData.spec)
     const buffer = Buffer.alloc(4096)
     await reader.read(buffer, 4096)
     await reader.close()
     parentPort.postMessage(buffer)`,
    { eval: true, workerData: { module, spec }, execArgv: ['--input-type=module'] },
  )
  const message = await new Promise<Uint8Array>((resolve, reject) =>
    worker.once('message', resolve).once('error', reject),
  )
  expect(Buffer.from(message).equals(content.subarray(4096, 8192))).toBe(true)
})
