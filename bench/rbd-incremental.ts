import { randomInt } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { GiB, KiB, MiB } from '../domain/sizes.ts'
import { runProcess } from '../block-io/process.ts'
import { ceph } from '../scripts/setup/ceph.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant, type Row, secondsOf } from './contest.ts'
import { type RbdFixture, startRbdFixture } from './rbd-fixture.ts'
import { finishResult } from './result.ts'
import { figuresOf } from './row.ts'

const VOLUME_BYTES = 100 * GiB
const PIECE_BYTES = 4 * MiB
/** Of data there is before: evenly over the volume. */
const PIECES = 128
const EXTENTS = { count: 16, lengthBytes: 4 * MiB, alignmentBytes: 64 * KiB }
const WRITES = { count: 64, lengthBytes: 4 * KiB, alignmentBytes: 4 * KiB }
const OBJECT_BYTES = 4 * MiB
const GOAL_READ_MIB = 136
const GOAL_S = 10
const GOAL_MIB_PER_OBJECT = 4
const OURS = { extents: '64 MiB in 16 extents', writes: '64 writes of 4 KiB' } as const
const BARE = 'rbd export-diff'

export const rbdIncremental: Benchmark = {
  name: 'rbd-incremental',
  about:
    'an incremental backup of 100 GiB in a Ceph cluster after 64 MiB have changed: what the OSD is made to read',
  needs: [qemu, temporal, ceph],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startRbdFixture(folder, signal)
  const figures = figuresOf(
    await contest(runs, await contestants(fixture, { folder, signal }), { signal, without }),
  )
  const seconds = figures.of(OURS.extents, 'seconds')
  const readMib = figures.of(OURS.extents, 'MiB read')
  const mibPerObject = figures.of(OURS.writes, 'MiB read per object')
  return finishResult({
    name: rbdIncremental.name,
    unit: 's',
    ours: seconds,
    peers: {},
    ceiling: { name: `${BARE} of the same changes`, value: figures.of(BARE, 'seconds') },
    ratios: { [BARE]: figures.of(BARE, 'seconds') / seconds },
    rss: await fixture.product.peakRssMb(),
    goals: [
      { text: `${OURS.extents}: at most ${GOAL_READ_MIB} MiB read`, met: readMib <= GOAL_READ_MIB },
      { text: `under ${GOAL_S} s`, met: seconds < GOAL_S },
      {
        text: `${OURS.writes}: at most ${GOAL_MIB_PER_OBJECT} MiB read per object`,
        met: mibPerObject <= GOAL_MIB_PER_OBJECT,
      },
    ],
    details: { runs },
    table: figures.table,
  })
}

interface Change {
  readonly count: number
  readonly lengthBytes: number
  readonly alignmentBytes: number
}

async function contestants(
  fixture: RbdFixture,
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<Record<string, Contestant>> {
  const { product } = fixture
  const { volumeId } = await product.makeVolume({ sizeBytes: VOLUME_BYTES })
  const pieces = Array.from({ length: PIECES }, (_, piece) => (piece * VOLUME_BYTES) / PIECES)
  await fixture.write(volumeId, pieces, PIECE_BYTES)
  const { operation } = await product.client.createBackup({ volumeId })
  await product.finish(operation)
  const changed = async (change: Change) => {
    const offsets = placesOf(change)
    await fixture.write(volumeId, offsets, change.lengthBytes)
    return objectsUnder(offsets, change.lengthBytes)
  }
  const backUp = async () => {
    const backup = await product.client.createBackup({ volumeId, incremental: true })
    const { result } = await product.finish(backup.operation)
    if (result?.scan !== 'changed') throw new Error('Expected a backup that reads what changed')
  }
  const ours =
    (change: Change): Contestant =>
    async () =>
      measured(fixture, await changed(change), backUp)
  return {
    [OURS.extents]: ours(EXTENTS),
    [OURS.writes]: ours(WRITES),
    [BARE]: async () => {
      const row = await exportDiff(fixture, volumeId, () => changed(EXTENTS), { folder, signal })
      // What it has changed is none of the next one's business.
      await backUp()
      return row
    },
  }
}

async function measured(fixture: RbdFixture, objects: number, work: () => Promise<unknown>): Promise<Row> {
  const before = await fixture.readBytes()
  const seconds = await secondsOf(work)
  const mib = ((await fixture.readBytes()) - before) / MiB
  return { seconds, 'MiB read': mib, 'objects changed': objects, 'MiB read per object': mib / objects }
}

/** What Cinder's Ceph driver reads an increment with. */
async function exportDiff(
  fixture: RbdFixture,
  volumeId: string,
  change: () => Promise<number>,
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<Row> {
  const { cluster } = fixture
  const { confFile, user, keyringFile } = cluster
  const image = fixture.imageOf(volumeId)
  await cluster.admin('rbd', ['snap', 'create', '--no-progress', `${image}@before`])
  const objects = await change()
  await cluster.admin('rbd', ['snap', 'create', '--no-progress', `${image}@after`])
  const path = join(folder, 'increment.diff')
  const access = ['--conf', confFile, '--id', user, '--keyring', keyringFile]
  const args = [...access, 'export-diff', '--no-progress', '--from-snap', 'before', `${image}@after`, path]
  const row = await measured(fixture, objects, () => runProcess('rbd', args, { signal }))
  await rm(path)
  for (const name of ['before', 'after'])
    await cluster.admin('rbd', ['snap', 'rm', '--no-progress', `${image}@${name}`])
  return row
}

/** No two of them overlap. */
function placesOf({ count, lengthBytes, alignmentBytes }: Change): number[] {
  const room = VOLUME_BYTES / count
  return Array.from({ length: count }, (_, part) => {
    const slots = Math.floor((room - lengthBytes) / alignmentBytes)
    return part * room + randomInt(slots) * alignmentBytes
  })
}

function objectsUnder(offsets: readonly number[], lengthBytes: number): number {
  const objects = offsets.flatMap((offset) => {
    const [first, last] = [offset, offset + lengthBytes - 1].map((at) => Math.floor(at / OBJECT_BYTES))
    return [first, last]
  })
  return new Set(objects).size
}
