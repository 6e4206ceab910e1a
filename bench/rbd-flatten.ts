import { setTimeout as sleep } from 'node:timers/promises'
import { GiB, MiB } from '../domain/sizes.ts'
import { ceph } from '../scripts/setup/ceph.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Operation } from '../sdk/types.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant, type Row, secondsOf } from './contest.ts'
import { type RbdFixture, startRbdFixture } from './rbd-fixture.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const VOLUME_BYTES = 4 * GiB
const PIECE_BYTES = 16 * MiB
const GOAL_RATIO = 1.05
const GOAL_SILENCE_S = 2
const GOAL_RECOVERY_S = 30
const POLL_MS = 50
const OURS = 'volflow'
const KILLED = 'volflow, killed at half'
const BARE = 'rbd flatten'

export const rbdFlatten: Benchmark = {
  name: 'rbd-flatten',
  about: 'a clone of 4 GiB in a Ceph cluster gets all of its bytes; and again with its worker killed at half',
  needs: [qemu, temporal, ceph],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startRbdFixture(folder, signal)
  const figures = figuresOf(await contest(runs, await contestants(fixture, signal), { signal, without }))
  const ratio = figures.of(OURS, 'seconds') / figures.of(BARE, 'seconds')
  const silence = figures.of(OURS, 'longest without progress s')
  const recovery = figures.of(KILLED, 'kill to progress s')
  return finishResult({
    name: rbdFlatten.name,
    unit: 's',
    ours: figures.of(OURS, 'seconds'),
    peers: {},
    ceiling: { name: `${BARE}, the program alone`, value: figures.of(BARE, 'seconds') },
    ratios: { [BARE]: ratio },
    rss: await fixture.product.peakRssMb(),
    goals: [
      { text: `at most ${GOAL_RATIO} x ${BARE}`, met: ratio <= GOAL_RATIO },
      { text: `progress every ${GOAL_SILENCE_S} s`, met: silence <= GOAL_SILENCE_S },
      { text: `killed at half it goes on within ${GOAL_RECOVERY_S} s`, met: recovery <= GOAL_RECOVERY_S },
    ],
    details: { runs },
    table: figures.table,
  })
}

async function contestants(fixture: RbdFixture, signal: AbortSignal): Promise<Record<string, Contestant>> {
  const { product, cluster } = fixture
  const { volumeId } = await product.makeVolume({ sizeBytes: VOLUME_BYTES })
  const pieces = Array.from({ length: VOLUME_BYTES / PIECE_BYTES }, (_, piece) => piece * PIECE_BYTES)
  await fixture.write(volumeId, pieces, PIECE_BYTES)
  const { snapshot, operation } = await product.client.createSnapshot({ volumeId })
  await product.finish(operation)
  const snapshotId = snapshot?.id ?? ''
  return {
    [OURS]: () => ours(fixture, snapshotId, (operation) => untilEnd(fixture, operation, signal)),
    [KILLED]: () => ours(fixture, snapshotId, (operation) => killedAtHalf(fixture, operation, signal)),
    [BARE]: async () => {
      const image = fixture.imageOf('bare')
      const from = `${fixture.imageOf(volumeId)}@snapshot-${snapshotId}`
      await cluster.admin('rbd', ['clone', '--rbd-default-clone-format', '2', from, image])
      const seconds = await secondsOf(() => cluster.admin('rbd', ['flatten', '--no-progress', image]))
      await cluster.admin('rbd', ['rm', '--no-progress', image])
      return { seconds }
    },
  }
}

async function ours(
  { product }: RbdFixture,
  snapshotId: string,
  watch: (operation: Operation) => Promise<Row>,
): Promise<Row> {
  const { volumeId } = await product.makeVolume({ snapshotId })
  const { operation } = await product.client.flattenVolume(volumeId)
  const startedMs = performance.now()
  const row = await watch(operation)
  const seconds = (performance.now() - startedMs) / 1000
  const { result } = await product.finish(operation)
  if (result?.path !== 'flatten') throw new Error('Expected a volume that was flattened in its place')
  await product.deleteVolume(volumeId)
  return { seconds, ...row }
}

/** And for how long a user saw nothing move. */
async function untilEnd({ product }: RbdFixture, { id }: Operation, signal: AbortSignal): Promise<Row> {
  let [seenBytes, seenMs, longestMs] = [0, performance.now(), 0]
  for (;;) {
    const { movedBytes, finishedAt } = await product.client.showOperation(id, { signal })
    if (movedBytes > seenBytes || finishedAt !== null) {
      longestMs = Math.max(longestMs, performance.now() - seenMs)
      seenMs = performance.now()
      seenBytes = movedBytes
    }
    if (finishedAt !== null) return { 'longest without progress s': longestMs / 1000 }
    await sleep(POLL_MS, undefined, { signal })
  }
}

async function killedAtHalf(fixture: RbdFixture, operation: Operation, signal: AbortSignal): Promise<Row> {
  const { product } = fixture
  const movedBeyond = async (bytes: number) => {
    for (;;) {
      const { movedBytes, finishedAt } = await product.client.showOperation(operation.id, { signal })
      if (movedBytes > bytes) return movedBytes
      if (finishedAt !== null) throw new Error(`Expected the operation to move more than ${bytes} bytes`)
      await sleep(POLL_MS, undefined, { signal })
    }
  }
  const pid = await product.pidOf('data-worker')
  const movedBytes = await movedBeyond(VOLUME_BYTES / 2)
  process.kill(pid, 'SIGKILL')
  const seconds = await secondsOf(() => movedBeyond(movedBytes))
  await untilEnd(fixture, operation, signal)
  return { 'kill to progress s': seconds }
}
