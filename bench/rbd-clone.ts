import { randomBytes } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../block-io/process.ts'
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
const OURS = {
  image: 'of an image',
  largeImage: 'of an image, 100 GiB',
  snapshot: 'of a snapshot',
  largeSnapshot: 'of a snapshot, 100 GiB',
  volume: 'of a volume',
} as const
const BARE = 'rbd clone'

export const rbdClone: Benchmark = {
  name: 'rbd-clone',
  about:
    'an image, a snapshot and a volume of 1 GiB in a Ceph cluster become a volume: from the request until it is available; and of 100 GiB',
  needs: [qemu, temporal, ceph],
  runsDefault: 15,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startRbdFixture(folder, signal)
  const figures = figuresOf(await contest(runs, await contestants(fixture, folder), { signal, without }))
  const ms = (name: string) => figures.of(name, 'ms')
  const growth = ms(OURS.largeImage) / ms(OURS.image)
  return finishResult({
    name: rbdClone.name,
    unit: 'ms',
    ours: ms(OURS.image),
    peers: {},
    ceiling: { name: `${BARE}, the program alone`, value: ms(BARE) },
    ratios: { 'size-100x': growth },
    rss: await fixture.product.peakRssMb(),
    goals: [
      ...[OURS.image, OURS.snapshot].map((name) => ({
        text: `${name}: under ${GOAL_MS} ms`,
        met: ms(name) < GOAL_MS,
      })),
      { text: `a hundred times the size: at most ${GOAL_GROWTH} times as long`, met: growth <= GOAL_GROWTH },
    ],
    details: { runs },
    table: figures.table,
  })
}

async function contestants(fixture: RbdFixture, folder: string): Promise<Record<string, Contestant>> {
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
    [OURS.image]: clone({ imageId: await imageOf(fixture, folder, GiB) }),
    [OURS.largeImage]: clone({ imageId: await imageOf(fixture, folder, 100 * GiB) }),
    [OURS.snapshot]: clone({ snapshotId: small.snapshotId }),
    [OURS.largeSnapshot]: clone({ snapshotId: large.snapshotId }),
    [OURS.volume]: clone({ sourceVolumeId: small.volumeId }),
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
  await fixture.write(volumeId, piecesOf(sizeBytes), PIECE_BYTES)
  const { snapshot, operation } = await product.client.createSnapshot({ volumeId })
  await product.finish(operation)
  return { volumeId, snapshotId: snapshot?.id ?? '' }
}

/** The same as a qcow2 of which there was a volume before: it is converted. */
async function imageOf({ product }: RbdFixture, folder: string, sizeBytes: number): Promise<string> {
  const [raw, qcow2] = [join(folder, 'image.raw'), join(folder, 'image.qcow2')]
  {
    await using file = await open(raw, 'w')
    await file.truncate(sizeBytes)
    for (const offset of piecesOf(sizeBytes))
      await file.write(randomBytes(PIECE_BYTES), 0, PIECE_BYTES, offset)
  }
  await runProcess('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2])
  const imageId = await product.uploadImage('qcow2', await openAsBlob(qcow2))
  const { volumeId } = await product.makeVolume({ imageId })
  await product.deleteVolume(volumeId)
  return imageId
}

function piecesOf(sizeBytes: number): number[] {
  return Array.from({ length: 16 }, (_, piece) => (piece * sizeBytes) / 16)
}
