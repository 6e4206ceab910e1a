import { qemu } from '../scripts/setup/qemu.ts'
import { minio } from '../scripts/setup/s3-servers.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import { startBackupFixture } from './backup-fixture.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest } from './contest.ts'
import { absentPeers, incrementalContestants, OURS } from './incremental-contestants.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const GOALS_S = { [OURS.changed]: 2, [OURS.unchanged]: 1 } as const

export const incremental: Benchmark = {
  name: 'incremental',
  about:
    'an incremental backup to MinIO after 1 % of the sample volume has changed, and after nothing has; beside restic, borg',
  needs: [qemu, temporal, minio],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  // One target for each of our contestants: a backup is incremental on the one before it there.
  await using fixture = await startBackupFixture(folder, 2, signal)
  const contestants = await incrementalContestants(fixture, { folder, signal })
  const figures = figuresOf(await contest(runs, contestants, { signal, without }))
  const seconds = (name: string) => figures.of(name, 'seconds')
  const peers = figures.column('seconds', ['restic', 'borg, directory'])
  return finishResult({
    name: incremental.name,
    unit: 's',
    ours: seconds(OURS.changed),
    peers,
    ceiling: { name: OURS.unchanged, value: seconds(OURS.unchanged) },
    ratios: Object.fromEntries(
      Object.entries(peers).map(([name, peer]) => [name, peer / seconds(OURS.changed)]),
    ),
    rss: await fixture.product.peakRssMb(),
    goals: [
      ...Object.entries(GOALS_S).map(([name, goal]) => ({
        text: `${name}: under ${goal} s`,
        met: seconds(name) < goal,
      })),
      { text: 'unchanged: no chunk written', met: figures.of(OURS.unchanged, 'new chunks') === 0 },
    ],
    details: { runs },
    table: figures.table,
    absent: absentPeers(),
  })
}
