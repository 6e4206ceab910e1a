import { constants } from 'node:fs'
import { mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, MiB, TiB } from '../domain/sizes.ts'
import { pseudoRandom } from '../scripts/demo/contents.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { minio } from '../scripts/setup/s3-servers.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant } from './contest.ts'
import { borgIn, hasBorg } from './peers/borg.ts'
import { Product } from './product.ts'
import { finishResult } from './result.ts'
import { figuresOf, timeRow } from './row.ts'
import { startS3Places } from './s3-place.ts'

const PIECE_BYTES = 4 * MiB
const LARGE = { sizeBytes: TiB, dataBytes: GiB } as const
/** What the others can do within the time of a benchmark. */
const SMALL = { sizeBytes: 16 * GiB, dataBytes: 256 * MiB } as const
const OURS = { backup: 'volflow, backup', restore: 'volflow, restore', small: 'volflow, 16 GiB' } as const
const BORG = 'borg, directory, 16 GiB'
const GOAL_S = 15
/** Beside the data: what a piece that does not begin with a block of 64 KiB takes more, and the file system's own. */
const ALLOCATED_MAX = 1.05

type Disk = typeof LARGE | typeof SMALL

export const sparse: Benchmark = {
  name: 'sparse',
  about:
    'a volume of 1 TiB that holds 1 GiB, in 256 places: backup to MinIO and restore; one of 16 GiB with 256 MiB beside borg',
  needs: [qemu, temporal, minio],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  const s3Folder = join(folder, 's3')
  await mkdir(s3Folder)
  await using places = await startS3Places(s3Folder, signal)
  const targets = Array.from({ length: 2 * runs }, (_, index) => {
    const { region: _region, prefix, ...place } = places.at(`ours-${index}`)
    return [`s3-${index}`, { driver: 's3', ...place, prefix: `${prefix}/` }] as const
  })
  await using product = await Product.start(folder, signal, Object.fromEntries(targets))
  const contestants = {
    ...(await ours(product, folder, runs)),
    ...(hasBorg() && { [BORG]: await borg(folder, signal) }),
  }
  const figures = figuresOf(await contest(runs, contestants, { signal, without }))
  const of = (name: string) => figures.of(name, 'seconds')
  const peers = figures.column('seconds', [BORG])
  const allocated = figures.of(OURS.restore, 'allocated GiB') / (LARGE.dataBytes / GiB)
  return finishResult({
    name: sparse.name,
    unit: 's',
    ours: of(OURS.backup),
    peers,
    ceiling: { name: OURS.small, value: of(OURS.small) },
    ratios: Object.fromEntries(
      Object.entries(peers).map(([name, seconds]) => [name, seconds / of(OURS.small)]),
    ),
    rss: await product.peakRssMb(),
    goals: [
      { text: `backup within ${GOAL_S} s`, met: of(OURS.backup) <= GOAL_S },
      { text: `restore within ${GOAL_S} s`, met: of(OURS.restore) <= GOAL_S },
      { text: 'the restored volume is still sparse', met: allocated <= ALLOCATED_MAX },
    ],
    details: { 'restored, allocated GiB': figures.of(OURS.restore, 'allocated GiB'), runs },
    table: figures.table,
    absent: hasBorg() ? [] : [BORG],
  })
}

async function ours(product: Product, folder: string, runs: number): Promise<Record<string, Contestant>> {
  const volumeFolder = (volumeId: string) => join(folder, 'data', 'volumes', 'volumes', volumeId)
  const make = async (disk: Disk) => {
    const { volumeId } = await product.makeVolume({ sizeBytes: disk.sizeBytes })
    await fill(join(volumeFolder(volumeId), '0.raw'), disk)
    return volumeId
  }
  const [large, small] = [await make(LARGE), await make(SMALL)]
  const backUp = async (volumeId: string, target: string) => {
    const { operation } = await product.client.createBackup({ volumeId, target })
    return product.finish(operation)
  }
  const { resourceId: backupId } = await backUp(large, 's3-0')
  return {
    [OURS.backup]: async (run) => timeRow(await product.measure(() => backUp(large, `s3-${run + runs}`))),
    [OURS.restore]: async () => {
      let volumeId = ''
      const usage = await product.measure(async () => {
        volumeId = (await product.makeVolume({ backupId })).volumeId
      })
      const row = { ...timeRow(usage), 'allocated GiB': (await allocatedBytes(volumeFolder(volumeId))) / GiB }
      await product.deleteVolume(volumeId)
      return row
    },
    [OURS.small]: async (run) => timeRow(await product.measure(() => backUp(small, `s3-${run}`))),
  }
}

async function borg(folder: string, signal: AbortSignal): Promise<Contestant> {
  const raw = join(folder, 'small.raw')
  await fill(raw, SMALL)
  const place = join(folder, 'borg')
  return async () => {
    const peer = borgIn(place, signal)
    await peer.init()
    const usage = await peer.backup(raw, 'bench')
    await rm(place, { recursive: true })
    return timeRow(usage)
  }
}

/** Pieces of random bytes, evenly over the disk and at no chunk's beginning. */
async function fill(path: string, { sizeBytes, dataBytes }: Disk): Promise<void> {
  await using file = await open(path, constants.O_RDWR | constants.O_CREAT)
  await file.truncate(sizeBytes)
  const pieces = dataBytes / PIECE_BYTES
  for (let piece = 0; piece < pieces; piece++) {
    const offset = piece * (sizeBytes / pieces) + MiB
    await file.write(pseudoRandom(PIECE_BYTES, `${piece}`), 0, PIECE_BYTES, offset)
  }
  await file.sync()
}

async function allocatedBytes(folder: string): Promise<number> {
  const stats = await Promise.all((await readdir(folder)).map((name) => stat(join(folder, name))))
  return stats.reduce((sum, { blocks }) => sum + blocks * 512, 0)
}
