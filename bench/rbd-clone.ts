import { GiB, MiB } from '../domain/sizes.ts'
import { ceph } from '../scripts/setup/ceph.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { CreateVolumeInput } from '../sdk/types.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant } from './contest.ts'
import { type RbdFixture, startRbdFixture } from './rbd-fixture.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const GOAL_MS = 1000
const GOAL_GROWTH = 1.5
const PIECE_BYTES = 4 * MiB
const OURS = { snapshot: 'of a snapshot', volume: 'of a volume', large: 'of a snapshot, 100 GiB' } as const
const BARE = 'rbd clone'

export const rbdClone: Benchmark = {
  name: 'rbd-clone',
  about:
    'a volume of 1 GiB in a Ceph cluster is cloned: from the request until it is available; and one of 100 GiB',
  needs: [qemu, temporal, ceph],
  runsDefault: 15,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startRbdFixture(folder, signal)
  const figures = figuresOf(await contest(runs, await contestants(fixture), { signal, without }))
  const ms = (name: string) => figures.of(name, 'ms')
  const growth = ms(OURS.large) / ms(OURS.snapshot)
  return finishResult({
    name: rbdClone.name,
    unit: 'ms',
    ours: ms(OURS.snapshot),
    peers: {},
    ceiling: { name: `${BARE}, the program alone`, value: ms(BARE) },
    ratios: { 'size-100x': growth },
    rss: await fixture.product.peakRssMb(),
    goals: [
      ...[OURS.snapshot, OURS.volume].map((name) => ({
        text: `${name}: under ${GOAL_MS} ms`,
        met: ms(name) < GOAL_MS,
      })),
      { text: `a hundred times the size: at most ${GOAL_GROWTH} times as long`, met: growth <= GOAL_GROWTH },
    ],
    details: { runs },
    table: figures.table,
  })
}

async function contestants(fixture: RbdFixture): Promise<Record<string, Contestant>> {
  const { product, cluster } = fixture
  const small = await sourceOf(fixture, GiB)
  const large = await sourceOf(fixture, 100 * GiB)
  const clone =
    (input: CreateVolumeInput): Contestant =>
    async () => {
      const startedMs = performance.now()
      const { volumeId, operation } = await product.makeVolume(input)
      const ms = performance.now() - startedMs
      if (operation.result?.path !== 'rbd-clone') throw new Error('Expected a clone that moves no bytes')
      await product.deleteVolume(volumeId)
      return { ms }
    }
  return {
    [OURS.snapshot]: clone({ snapshotId: small.snapshotId }),
    [OURS.volume]: clone({ sourceVolumeId: small.volumeId }),
    [OURS.large]: clone({ snapshotId: large.snapshotId }),
    [BARE]: async () => {
      const from = `${fixture.imageOf(small.volumeId)}@snapshot-${small.snapshotId}`
      const to = fixture.imageOf('bare')
      const startedMs = performance.now()
      await cluster.admin('rbd', ['clone', '--rbd-default-clone-format', '2', from, to])
      const ms = performance.now() - startedMs
      await cluster.admin('rbd', ['rm', '--no-progress', to])
      return { ms }
    },
  }
}

/** A volume with data in every sixteenth of it, and a snapshot. */
async function sourceOf(
  fixture: RbdFixture,
  sizeBytes: number,
): Promise<{ volumeId: string; snapshotId: string }> {
  const { product } = fixture
  const { volumeId } = await product.makeVolume({ sizeBytes })
  await fixture.write(
    volumeId,
    Array.from({ length: 16 }, (_, piece) => (piece * sizeBytes) / 16),
    PIECE_BYTES,
  )
  const { snapshot, operation } = await product.client.createSnapshot({ volumeId })
  await product.finish(operation)
  return { volumeId, snapshotId: snapshot?.id ?? '' }
}
