import { GiB, MiB } from '../domain/sizes.ts'
import { runProcess } from '../block-io/process.ts'
import { ceph } from '../scripts/setup/ceph.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant, secondsOf } from './contest.ts'
import { type RbdFixture, startRbdFixture } from './rbd-fixture.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const VOLUME_BYTES = 4 * GiB
const PIECE_BYTES = 16 * MiB
/** One percent of the volume, in ten places. */
const CHANGES = 10
const CHANGE_BYTES = 4 * MiB
const OURS = {
  full: 'volflow, full',
  changed: 'volflow, 1 % changed',
  into: 'volflow, into its volume',
} as const
const BARE = {
  full: 'export-diff | import-diff, full',
  changed: 'export-diff | import-diff, 1 % changed',
} as const

export const rbdRestore: Benchmark = {
  name: 'rbd-restore',
  about:
    "4 GiB come back from a pool of backups to a new volume of the same cluster; beside what Cinder's Ceph driver does, the programs alone",
  needs: [qemu, temporal, ceph],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startRbdFixture(folder, signal)
  const figures = figuresOf(await contest(runs, await contestants(fixture, signal), { signal, without }))
  const seconds = (name: string) => figures.of(name, 'seconds')
  const ratios = {
    full: seconds(BARE.full) / seconds(OURS.full),
    'one percent changed': seconds(BARE.changed) / seconds(OURS.changed),
  }
  return finishResult({
    name: rbdRestore.name,
    unit: 's',
    ours: seconds(OURS.full),
    peers: { [BARE.full]: seconds(BARE.full) },
    ceiling: { name: `${OURS.into}, which moves nothing`, value: seconds(OURS.into) },
    ratios,
    rss: await fixture.product.peakRssMb(),
    goals: Object.entries(ratios).map(([name, ratio]) => ({ text: `${name}: faster`, met: ratio > 1 })),
    details: { runs },
    table: figures.table,
  })
}

async function contestants(fixture: RbdFixture, signal: AbortSignal): Promise<Record<string, Contestant>> {
  const { product } = fixture
  const { volumeId } = await product.makeVolume({ sizeBytes: VOLUME_BYTES })
  const pieces = Array.from({ length: VOLUME_BYTES / PIECE_BYTES }, (_, piece) => piece * PIECE_BYTES)
  await fixture.write(volumeId, pieces, PIECE_BYTES)
  const full = await backUp(fixture, volumeId, false)
  const places = Array.from(
    { length: CHANGES },
    (_, place) => Math.floor((place * VOLUME_BYTES) / CHANGES / MiB) * MiB,
  )
  await fixture.write(volumeId, places, CHANGE_BYTES)
  const changed = await backUp(fixture, volumeId, true)
  return {
    [OURS.full]: () => restore(fixture, full),
    [BARE.full]: () => pipe(fixture, `backups-${volumeId}@backup-${full}`, signal),
    [OURS.changed]: () => restore(fixture, changed),
    [BARE.changed]: () => pipe(fixture, `backups-${volumeId}@backup-${changed}`, signal),
    [OURS.into]: async () => {
      const startedMs = performance.now()
      await product.finish((await product.client.restoreBackup(changed, { volumeId })).operation)
      return { seconds: (performance.now() - startedMs) / 1000 }
    },
  }
}

async function backUp({ product }: RbdFixture, volumeId: string, incremental: boolean): Promise<string> {
  const { backup, operation } = await product.client.createBackup({ volumeId, target: 'pool', incremental })
  await product.finish(operation)
  return backup?.id ?? ''
}

async function restore({ product }: RbdFixture, backupId: string) {
  const startedMs = performance.now()
  const { volumeId } = await product.makeVolume({ backupId })
  const seconds = (performance.now() - startedMs) / 1000
  await product.deleteVolume(volumeId)
  return { seconds }
}

/** As Cinder's driver restores every backup, full or not, to a volume that does not have its snapshot. */
async function pipe(fixture: RbdFixture, backup: string, signal: AbortSignal) {
  const { cluster } = fixture
  const { confFile, adminKeyringFile } = cluster
  const image = fixture.imageOf('bare')
  const size = ['--size', `${VOLUME_BYTES}B`]
  await cluster.admin('rbd', ['create', ...size, image])
  const rbd = 'rbd --conf "$1" --keyring "$2"'
  // The stream names a snapshot, which is made at its end.
  const command = `${rbd} export-diff --no-progress "$3" - | ${rbd} import-diff --no-progress - "$4"`
  const args = ['-c', command, 'sh', confFile, adminKeyringFile, `backups/${backup}`, image]
  const seconds = await secondsOf(() => runProcess('sh', args, { signal }))
  await cluster.admin('rbd', ['snap', 'purge', '--no-progress', image])
  await cluster.admin('rbd', ['rm', '--no-progress', image])
  return { seconds }
}
