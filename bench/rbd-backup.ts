import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { MiB } from '../domain/sizes.ts'
import { runProcess } from '../block-io/process.ts'
import { ceph } from '../scripts/setup/ceph.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { minio } from '../scripts/setup/s3-servers.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant, secondsOf } from './contest.ts'
import { plainLoop } from './peers/plain-loop.ts'
import { type RbdFixture, startRbdFixture } from './rbd-fixture.ts'
import { finishResult } from './result.ts'
import { figuresOf, loopRow, rowOf } from './row.ts'
import { type S3Places, startS3Places } from './s3-place.ts'
import { makeSampleVolume, VOLUME_BYTES, VOLUME_MIB } from './sample-volume.ts'

const GOAL_OF_CEILING = 0.85
const GOAL_MIB_PER_CPU_SECOND = 250
const PIECE_BYTES = 16 * MiB
const OURS = 'volflow'
const EXPORT = 'rbd export'
const PUT_LOOP = 'plain PUT loop'

export const rbdBackup: Benchmark = {
  name: 'rbd-backup',
  about: 'a full backup of the sample volume in a Ceph cluster to MinIO; beside `rbd export` to nowhere',
  needs: [qemu, temporal, ceph, minio],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  const s3Folder = join(folder, 's3')
  await mkdir(s3Folder)
  await using places = await startS3Places(s3Folder, signal)
  await using fixture = await startRbdFixture(folder, signal, targetsOf(places, runs))
  const figures = figuresOf(
    await contest(runs, await contestants(fixture, places, { folder, signal }), { signal, without }),
  )
  const rate = figures.of(OURS, 'MiB/s')
  const ratios = {
    [EXPORT]: rate / figures.of(EXPORT, 'MiB/s'),
    [PUT_LOOP]: figures.of(OURS, 'stored MiB/s') / figures.of(PUT_LOOP, 'stored MiB/s'),
  }
  const perCpuSecond = figures.of(OURS, 'MiB per CPU s')
  const met = {
    [EXPORT]: (ratios[EXPORT] ?? 0) >= GOAL_OF_CEILING,
    [PUT_LOOP]: (ratios[PUT_LOOP] ?? 0) >= 1,
    [`${GOAL_MIB_PER_CPU_SECOND} MiB per CPU second`]: perCpuSecond >= GOAL_MIB_PER_CPU_SECOND,
  }
  return finishResult({
    name: rbdBackup.name,
    unit: 'MiB/s',
    ours: rate,
    peers: {},
    ceiling: { name: `${EXPORT} to nowhere`, value: figures.of(EXPORT, 'MiB/s') },
    ratios,
    rss: await fixture.product.peakRssMb(),
    goals: [
      {
        text: `${GOAL_OF_CEILING} x ${EXPORT}, or the plain PUT loop, or ${GOAL_MIB_PER_CPU_SECOND} MiB per CPU second`,
        met: Object.values(met).some(Boolean),
      },
    ],
    details: { ...Object.fromEntries(Object.entries(met).map(([name, is]) => [name, Number(is)])), runs },
    table: figures.table,
  })
}

/** Empty ones: what a target has, it does not take again. */
function targetsOf(places: S3Places, runs: number) {
  return Object.fromEntries(
    Array.from({ length: runs }, (_, index) => {
      const { region: _region, prefix, ...place } = places.at(`ours-${index}`)
      return [`s3-${index}`, { driver: 's3', ...place, prefix: `${prefix}/` } as const]
    }),
  )
}

async function contestants(
  fixture: RbdFixture,
  places: S3Places,
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<Record<string, Contestant>> {
  const { product, cluster } = fixture
  const { volumeId } = await product.makeVolume({ sizeBytes: VOLUME_BYTES })
  await fill(fixture, volumeId, join(folder, 'source.raw'))
  return {
    [OURS]: async (run) => {
      const usage = await product.measure(async () => {
        const { operation } = await product.client.createBackup({ volumeId, target: `s3-${run}` })
        await product.finish(operation)
      })
      return rowOf(usage, await places.stored(`ours-${run}/`))
    },
    [EXPORT]: async () => {
      const { confFile, adminKeyringFile } = cluster
      const command = 'rbd --conf "$1" --keyring "$2" export --no-progress "$3" - | cat > /dev/null'
      const args = ['-c', command, 'sh', confFile, adminKeyringFile, fixture.imageOf(volumeId)]
      return { 'MiB/s': VOLUME_MIB / (await secondsOf(() => runProcess('sh', args, { signal }))) }
    },
    [PUT_LOOP]: async () => loopRow(await plainLoop(places.at('plain')).put()),
  }
}

/** What is zero in the sample is not there. */
async function fill(fixture: RbdFixture, volumeId: string, path: string): Promise<void> {
  await makeSampleVolume(path)
  await using file = await open(path)
  const offsets = Array.from({ length: VOLUME_BYTES / PIECE_BYTES }, (_, piece) => piece * PIECE_BYTES)
  await fixture.write(volumeId, offsets, PIECE_BYTES, async (offset, into) => {
    await file.read(into, 0, into.byteLength, offset)
  })
}
