import { PEERS, absentPeers, OURS } from './backup-contestants.ts'
import { AT_ONCE, backup, busyRssGoal, loopGoal } from './backup.ts'
import { type BackupFixture, startBackupFixture } from './backup-fixture.ts'
import { type Benchmark, type BenchmarkOptions, type BenchmarkResult, type Goal } from './benchmark.ts'
import { contest } from './contest.ts'
import { DISK, GET_LOOP, makeBackup, restoreContestants } from './restore-contestants.ts'
import { finishResult } from './result.ts'
import { type Figures, figuresOf } from './row.ts'
import { VOLUME_MIB } from './sample-volume.ts'

const NAMES = PEERS.map(({ name }) => name)
const GOALS = { Cinder: 2.5, restic: 2, ofCeiling: 0.8 } as const

export const restore: Benchmark = {
  name: 'restore',
  about: 'such a backup becomes a new volume; beside Cinder, restic, borg, a plain GET loop',
  needs: backup.needs,
  runsDefault: 3,
  run,
}

async function run(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const { runs, folder, signal, without } = options
  await using fixture = await startBackupFixture(folder, 1, signal)
  const contestants = await restoreContestants(fixture, options)
  const storedMib = (await fixture.places.stored('ours-0/')).mib
  const figures = figuresOf(await contest(runs, contestants, { signal, without }))
  const ceiling = ceilingOf(figures, storedMib)
  const ratios = ratiosOf(figures, ceiling.value)
  const rss = { ...(await fixture.product.peakRssMb()), data: figures.of(OURS.s3, 'peak RSS MB') }
  const busyRssMb = await busyRss(fixture)
  return finishResult({
    name: restore.name,
    unit: 'MiB/s',
    ours: figures.of(OURS.s3, 'MiB/s'),
    peers: figures.column('MiB/s', NAMES),
    ceiling,
    ratios,
    rss,
    goals: [...goalsOf(ratios), busyRssGoal(busyRssMb), loopGoal(figures)],
    details: { [`rss data with ${AT_ONCE} at once MB`]: busyRssMb, runs },
    table: figures.table,
    absent: absentPeers(),
  })
}

/** What the slower of the loop and the disk allows, in bytes of the volume. */
function ceilingOf(figures: Figures, storedMib: number): { name: string; value: number } {
  const network = (figures.of(GET_LOOP, 'stored MiB/s') / storedMib) * VOLUME_MIB
  return {
    name: `the slower of ${GET_LOOP} and ${DISK}`,
    value: Math.min(network, figures.of(DISK, 'MiB/s')),
  }
}

/** To the best run of each peer, as the goals are. */
function ratiosOf(figures: Figures, ceiling: number): Record<string, number> {
  const ratios = Object.entries(figures.column('best MiB/s', NAMES)).map(([name, rate]) => {
    const ours = name.endsWith('directory') ? OURS.directory : OURS.s3
    return [name, figures.of(ours, 'MiB/s') / rate]
  })
  return { ...Object.fromEntries(ratios), ceiling: figures.of(OURS.s3, 'MiB/s') / ceiling }
}

/** Where the ceiling caps us, no multiple of a peer can be asked for. */
function goalsOf(ratios: Readonly<Record<string, number>>): Goal[] {
  const capped = (ratios['ceiling'] ?? 0) >= GOALS.ofCeiling
  const wanted: [string, number][] = [
    ['Cinder zlib', GOALS.Cinder],
    ['Cinder zstd', GOALS.Cinder],
    ['restic', GOALS.restic],
  ]
  return wanted.flatMap(([name, times]) => {
    const ratio = ratios[name]
    if (ratio === undefined) return []
    return [
      {
        text: `${times} x the best of ${name} or ${GOALS.ofCeiling} of the ceiling`,
        met: capped || ratio >= times,
      },
    ]
  })
}

async function busyRss(fixture: BackupFixture): Promise<number> {
  const { product } = fixture
  const backupId = await makeBackup(fixture, 's3')
  const volumeIds: string[] = []
  const { peakRssBytes } = await product.measure(() =>
    Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        volumeIds.push((await product.makeVolume({ backupId })).volumeId)
      }),
    ),
  )
  for (const volumeId of volumeIds) await product.deleteVolume(volumeId)
  return peakRssBytes / 1_000_000
}
