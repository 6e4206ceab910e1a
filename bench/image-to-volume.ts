import { openAsBlob } from 'node:fs'
import { mkdir, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { copyDevice } from '../block-io/copy.ts'
import { runProcess } from '../block-io/process.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, secondsOf } from './contest.ts'
import { copyAndSync, DISK_BYTES, makeDisk, warm } from './disk.ts'
import { Product } from './product.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const GOAL_TRUSTED = 0.85
const GOAL_CONFINED = 0.4

export const imageToVolume: Benchmark = {
  name: 'image-to-volume',
  about:
    'a qcow2 of 2 GiB with 1 GiB of data becomes a raw file; beside qemu-img convert -W -m 16 -t writeback',
  needs: [qemu, temporal],
  runsDefault: 5,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  const [raw, qcow2] = [join(folder, 'source.raw'), join(folder, 'source.qcow2')]
  await makeDisk(raw)
  await runProcess('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2], { signal })
  await using product = await Product.start(folder, signal)
  const imageId = await product.uploadImage('qcow2', await openAsBlob(qcow2))
  const stored = join(folder, 'data', 'images', 'images', imageId)
  const output = join(folder, 'output.raw')
  const timed = async (from: string, work: () => Promise<unknown>) => {
    await warm(from)
    const seconds = await secondsOf(work)
    await rm(output)
    return { s: seconds }
  }
  const contestants = {
    'qemu-img': () => timed(qcow2, () => convert(qcow2, output, signal)),
    trusted: () => timed(qcow2, () => copy(qcow2, output, { untrusted: false, folder, signal })),
    confined: () => timed(qcow2, () => copy(qcow2, output, { untrusted: true, folder, signal })),
    cp: () => timed(raw, () => copyAndSync(raw, output)),
    operation: async () => {
      await warm(stored)
      return operation(product, imageId)
    },
  }
  const figures = figuresOf(await contest(runs, contestants, { signal, without }))
  const of = (name: string) => figures.of(name, 's')
  const ratios = {
    'qemu-img': of('qemu-img') / of('trusted'),
    'qemu-img, confined': of('qemu-img') / of('confined'),
    'qemu-img, whole operation': of('qemu-img') / of('operation'),
  }
  return finishResult({
    name: imageToVolume.name,
    unit: 's',
    ours: of('operation'),
    peers: { 'qemu-img': of('qemu-img') },
    ceiling: { name: 'cp of the raw file and sync', value: of('cp') },
    ratios,
    rss: await product.peakRssMb(),
    goals: [
      { text: `${GOAL_TRUSTED} x qemu-img, trusted`, met: ratios['qemu-img'] >= GOAL_TRUSTED },
      { text: `${GOAL_CONFINED} x qemu-img, confined`, met: ratios['qemu-img, confined'] >= GOAL_CONFINED },
    ],
    details: {
      'trusted copy s': of('trusted'),
      'confined copy s': of('confined'),
      'copy within the operation s': figures.of('operation', 'copyImage s'),
      runs,
    },
  })
}

async function convert(from: string, to: string, signal: AbortSignal): Promise<void> {
  const how = ['-W', '-m', '16', '-t', 'writeback', '-f', 'qcow2', '-O', 'raw']
  await runProcess('qemu-img', ['convert', ...how, from, to], { signal })
}

async function copy(
  from: string,
  to: string,
  options: { untrusted: boolean; folder: string; signal: AbortSignal },
): Promise<void> {
  const { untrusted, folder, signal } = options
  const socketDirectory = join(folder, 'sockets')
  await mkdir(socketDirectory, { recursive: true })
  {
    await using file = await open(to, 'w')
    await file.truncate(DISK_BYTES)
  }
  const source = {
    driver: 'qcow2',
    'read-only': true,
    file: { driver: 'file', filename: from },
    backing: null,
  }
  const target = { driver: 'raw', file: { driver: 'file', filename: to } }
  await copyDevice({
    source: { sizeBytes: DISK_BYTES, blockdev: source, untrusted },
    target: { sizeBytes: DISK_BYTES, blockdev: target, plainFile: to },
    lengthBytes: DISK_BYTES,
    targetIsZero: true,
    startOffset: 0,
    socketDirectory,
    signal,
    onProgress: () => undefined,
    onCheckpoint: () => undefined,
  })
}

async function operation(product: Product, imageId: string): Promise<Record<string, number>> {
  const startedMs = performance.now()
  const made = await product.makeVolume({ imageId, sizeBytes: DISK_BYTES })
  const seconds = (performance.now() - startedMs) / 1000
  const copyImage = await product.activitySeconds(made.operation, 'copyImage')
  await product.deleteVolume(made.volumeId)
  return { s: seconds, 'copyImage s': copyImage }
}
