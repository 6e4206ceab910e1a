import { qemu } from '../scripts/setup/qemu.ts'
import { minio } from '../scripts/setup/s3-servers.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import { absentPeers, backupContestants, OURS, PEERS, PUT_LOOP } from './backup-contestants.ts'
import { type BackupFixture, startBackupFixture } from './backup-fixture.ts'
import {
  type Benchmark,
  type BenchmarkOptions,
  type BenchmarkResult,
  type Goal,
  RSS_BUSY_GOAL_MB,
} from './benchmark.ts'
import { contest } from './contest.ts'
import { finishResult } from './result.ts'
import { type Figures, figuresOf } from './row.ts'

/** How many operations the memory of a busy worker is measured with. */
export const AT_ONCE = 4
const GOALS = {
  'Cinder zlib': 10,
  'Cinder zstd': 4,
  restic: 4,
  'borg, directory': 1.5,
  ofCeiling: 0.85,
  mibPerCpuSecond: 250,
} as const
const LOOP_P99_GOAL_MS = 50

export const backup: Benchmark = {
  name: 'backup',
  about:
    'a full backup of the sample volume to MinIO, and to a directory; beside Cinder, restic, borg, a plain PUT loop',
  needs: [qemu, temporal, minio],
  runsDefault: 3,
  run,
}

async function run(options: BenchmarkOptions): Promise<BenchmarkResult> {
  const { runs, folder, signal, without } = options
  await using fixture = await startBackupFixture(folder, runs + AT_ONCE, signal)
  const figures = figuresOf(await contest(runs, backupContestants(fixture, options), { signal, without }))
  const rss = { ...(await fixture.product.peakRssMb()), data: figures.of(OURS.s3, 'peak RSS MB') }
  const busyRssMb = await busyRss(fixture, runs)
  const ratios = ratiosOf(figures)
  return finishResult({
    name: backup.name,
    unit: 'MiB/s',
    ours: figures.of(OURS.s3, 'MiB/s'),
    peers: figures.column(
      'MiB/s',
      PEERS.map(({ name }) => name),
    ),
    ceiling: { name: `${PUT_LOOP} of stored bytes`, value: figures.of(PUT_LOOP, 'stored MiB/s') },
    ratios,
    rss,
    goals: [...goalsOf(figures, ratios), busyRssGoal(busyRssMb), loopGoal(figures)],
    details: { [`rss data with ${AT_ONCE} at once MB`]: busyRssMb, runs },
    table: figures.table,
    absent: absentPeers(),
  })
}

/** `Cinder zlib` … in logical bytes; `PUT_LOOP` in stored ones. */
function ratiosOf(figures: Figures): Record<string, number> {
  const peers = figures.column(
    'MiB/s',
    PEERS.map(({ name }) => name),
  )
  const ratios = Object.entries(peers).map(([name, rate]) => {
    const ours = name.endsWith('directory') ? OURS.directory : OURS.s3
    return [name, figures.of(ours, 'MiB/s') / rate]
  })
  const ofCeiling = figures.of(OURS.s3, 'stored MiB/s') / figures.of(PUT_LOOP, 'stored MiB/s')
  return { ...Object.fromEntries(ratios), [PUT_LOOP]: ofCeiling }
}

/** Where the plain loop's rate caps ours, no multiple of a peer can be asked for. */
function goalsOf(figures: Figures, ratios: Readonly<Record<string, number>>): Goal[] {
  const capped = (ratios[PUT_LOOP] ?? 0) >= GOALS.ofCeiling
  const against = (name: 'Cinder zlib' | 'Cinder zstd' | 'restic'): Goal[] => {
    const ratio = ratios[name]
    if (ratio === undefined) return []
    const text = `${GOALS[name]} x ${name} or ${GOALS.ofCeiling} of the plain loop`
    return [{ text, met: capped || ratio >= GOALS[name] }]
  }
  const borg = ratios['borg, directory']
  const goals = [
    ...against('Cinder zlib'),
    ...against('Cinder zstd'),
    ...against('restic'),
    ...(borg === undefined
      ? []
      : [{ text: `${GOALS['borg, directory']} x borg`, met: borg >= GOALS['borg, directory'] }]),
  ]
  const cpu = figures.of(OURS.s3, 'MiB per CPU s')
  return [
    ...goals,
    { text: `${GOALS.mibPerCpuSecond} MiB per CPU second`, met: cpu >= GOALS.mibPerCpuSecond },
  ]
}

export function busyRssGoal(busyRssMb: number): Goal {
  return {
    text: `data worker at most ${RSS_BUSY_GOAL_MB} MB with ${AT_ONCE} at once`,
    met: busyRssMb <= RSS_BUSY_GOAL_MB,
  }
}

/** Heartbeats are sent from there: it must be free while bytes move. */
export function loopGoal(figures: Figures): Goal {
  const p99Ms = figures.of(OURS.s3, 'event loop p99 ms')
  return { text: `event loop p99 under ${LOOP_P99_GOAL_MS} ms`, met: p99Ms < LOOP_P99_GOAL_MS }
}

async function busyRss({ product, volumeId }: BackupFixture, from: number): Promise<number> {
  const { peakRssBytes } = await product.measure(() =>
    Promise.all(
      Array.from({ length: AT_ONCE }, async (_, index) => {
        const { operation } = await product.client.createBackup({ volumeId, target: `s3-${from + index}` })
        await product.finish(operation)
      }),
    ),
  )
  return peakRssBytes / 1_000_000
}
