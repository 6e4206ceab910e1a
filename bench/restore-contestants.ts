/** Who restores a backup of the sample volume: each from one that it made before. What is restored counts when it is on the disk. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../block-io/process.ts'
import { absentPeers, OURS } from './backup-contestants.ts'
import { type BackupFixture, TARGET_KINDS, type TargetKind } from './backup-fixture.ts'
import { type Contestant, type Row, secondsOf } from './contest.ts'
import { copyAndSync } from './disk.ts'
import { borgIn } from './peers/borg.ts'
import { cinderAt, type CinderCompression } from './peers/cinder.ts'
import { plainLoop } from './peers/plain-loop.ts'
import { resticAt } from './peers/restic.ts'
import type { Usage } from './peers/run-peer.ts'
import { loopRow, rowOf } from './row.ts'
import { VOLUME_BYTES, VOLUME_MIB } from './sample-volume.ts'

export const GET_LOOP = 'plain GET loop'
export const DISK = 'cp of the volume and sync'

interface Options {
  readonly folder: string
  readonly signal: AbortSignal
  readonly without: ReadonlySet<string>
}

/** Makes the backups, too. */
export async function restoreContestants(
  fixture: BackupFixture,
  options: Options,
): Promise<Record<string, Contestant>> {
  const makers: Record<string, () => Promise<Contestant>> = {
    ...Object.fromEntries(TARGET_KINDS.map((kind) => [OURS[kind], () => ours(fixture, kind)])),
    'Cinder zlib': () => cinder(fixture, 'zlib', options),
    'Cinder zstd': () => cinder(fixture, 'zstd', options),
    restic: () => restic(fixture, options),
    'borg, directory': () => borg(fixture, options),
    [GET_LOOP]: () => getLoop(fixture),
    [DISK]: async () => () => disk(fixture, options),
  }
  const absent = new Set([...absentPeers(), ...options.without])
  const contestants: Record<string, Contestant> = {}
  for (const [name, make] of Object.entries(makers)) if (!absent.has(name)) contestants[name] = await make()
  return contestants
}

/** The backup that `restore` measures with. */
export async function makeBackup({ product, volumeId }: BackupFixture, kind: TargetKind): Promise<string> {
  const { backup, operation } = await product.client.createBackup({ volumeId, target: `${kind}-0` })
  await product.finish(operation)
  return backup?.id ?? ''
}

async function ours(fixture: BackupFixture, kind: TargetKind): Promise<Contestant> {
  const { product } = fixture
  const backupId = await makeBackup(fixture, kind)
  return async () => {
    let volumeId = ''
    const { loopP99Ms, ...usage } = await product.measure(async () => {
      volumeId = (await product.makeVolume({ backupId })).volumeId
    })
    await product.deleteVolume(volumeId)
    return { ...rowOf(usage), 'event loop p99 ms': loopP99Ms }
  }
}

async function cinder(
  { places, raw }: BackupFixture,
  compression: CinderCompression,
  options: Options,
): Promise<Contestant> {
  const peer = cinderAt(places.at(''), { ...options, compression, sizeBytes: VOLUME_BYTES })
  await peer.backup(raw)
  const output = join(options.folder, 'output')
  // It flushes each object itself.
  return () => untilSynced(() => peer.restore(output), output, options)
}

async function restic({ places, raw }: BackupFixture, options: Options): Promise<Contestant> {
  const peer = resticAt(places.at('restic'), options)
  await peer.init()
  await peer.backup(raw)
  const output = join(options.folder, 'output')
  return () => untilSynced(() => peer.restore(output), join(output, raw), options, output)
}

async function borg({ raw }: BackupFixture, options: Options): Promise<Contestant> {
  const place = join(options.folder, 'borg')
  await mkdir(place)
  const peer = borgIn(place, options.signal)
  await peer.init()
  await peer.backup(raw, 'bench')
  const output = join(options.folder, 'output')
  return async () => {
    await mkdir(output)
    return untilSynced(() => peer.restore('bench', output), join(output, raw), options, output)
  }
}

async function untilSynced(
  restore: () => Promise<Usage>,
  file: string,
  { signal }: Options,
  output = file,
): Promise<Row> {
  const usage = await restore()
  const syncSeconds = await secondsOf(() => runProcess('sync', ['--data', file], { signal }))
  await rm(output, { recursive: true })
  return rowOf({ ...usage, seconds: usage.seconds + syncSeconds })
}

async function getLoop({ places }: BackupFixture): Promise<Contestant> {
  const loop = plainLoop(places.at('plain'))
  await loop.put()
  return async () => loopRow(await loop.get())
}

async function disk({ raw }: BackupFixture, { folder }: Options): Promise<Row> {
  const output = join(folder, 'output')
  const seconds = await secondsOf(() => copyAndSync(raw, output))
  await rm(output)
  return { 'MiB/s': VOLUME_MIB / seconds }
}
