/** Who makes a full backup of the sample volume: volflow, others, and a loop that does nothing but PUT. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BackupFixture, TARGET_KINDS, type TargetKind } from './backup-fixture.ts'
import type { Contestant, Row } from './contest.ts'
import { storedIn } from './disk.ts'
import { borgIn, hasBorg } from './peers/borg.ts'
import { cinderAt, type CinderCompression, hasCinder } from './peers/cinder.ts'
import { plainLoop } from './peers/plain-loop.ts'
import { hasRestic, resticAt } from './peers/restic.ts'
import { loopRow, rowOf } from './row.ts'
import { VOLUME_BYTES } from './sample-volume.ts'

/** As the tables call us. */
export const OURS: Readonly<Record<TargetKind, string>> = { s3: 'volflow', directory: 'volflow, directory' }
export const PUT_LOOP = 'plain PUT loop'

interface Peer {
  readonly name: string
  readonly isPresent: () => boolean
}

export const PEERS: readonly Peer[] = [
  { name: 'Cinder zlib', isPresent: hasCinder },
  { name: 'Cinder zstd', isPresent: hasCinder },
  { name: 'restic', isPresent: hasRestic },
  { name: 'borg, directory', isPresent: hasBorg },
]

export function absentPeers(): string[] {
  return PEERS.filter(({ isPresent }) => !isPresent()).map(({ name }) => name)
}

export function backupContestants(
  fixture: BackupFixture,
  options: { folder: string; signal: AbortSignal },
): Record<string, Contestant> {
  const all: Record<string, Contestant> = {
    ...Object.fromEntries(TARGET_KINDS.map((kind) => [OURS[kind], (run) => ours(fixture, kind, run)])),
    'Cinder zlib': () => cinder(fixture, 'zlib', options),
    'Cinder zstd': () => cinder(fixture, 'zstd', options),
    restic: () => restic(fixture, options),
    'borg, directory': () => borg(fixture, options),
    [PUT_LOOP]: async () => loopRow(await plainLoop(fixture.places.at('plain')).put()),
  }
  const absent = new Set(absentPeers())
  return Object.fromEntries(Object.entries(all).filter(([name]) => !absent.has(name)))
}

async function ours(
  { product, volumeId, places, targetFolder }: BackupFixture,
  kind: TargetKind,
  run: number,
) {
  const { loopP99Ms, ...usage } = await product.measure(async () => {
    const { operation } = await product.client.createBackup({ volumeId, target: `${kind}-${run}` })
    await product.finish(operation)
  })
  const stored = await (kind === 's3' ? places.stored(`ours-${run}/`) : storedIn(targetFolder(run)))
  return { ...rowOf(usage, stored), 'event loop p99 ms': loopP99Ms }
}

async function cinder(
  { places, raw }: BackupFixture,
  compression: CinderCompression,
  options: { folder: string; signal: AbortSignal },
): Promise<Row> {
  const peer = cinderAt(places.at(''), { ...options, compression, sizeBytes: VOLUME_BYTES })
  const usage = await peer.backup(raw)
  // It chooses its names itself.
  const prefix = 'volume_volume/'
  const stored = await places.stored(prefix)
  await places.remove(prefix)
  return rowOf(usage, stored)
}

async function restic(
  { places, raw }: BackupFixture,
  options: { folder: string; signal: AbortSignal },
): Promise<Row> {
  const peer = resticAt(places.at('restic'), options)
  await peer.init()
  const usage = await peer.backup(raw)
  const stored = await places.stored('restic/')
  await places.remove('restic/')
  return rowOf(usage, stored)
}

async function borg(
  { raw }: BackupFixture,
  { folder, signal }: { folder: string; signal: AbortSignal },
): Promise<Row> {
  const place = join(folder, 'borg')
  await mkdir(place)
  const peer = borgIn(place, signal)
  await peer.init()
  const usage = await peer.backup(raw, 'bench')
  const stored = await storedIn(place)
  await rm(place, { recursive: true })
  return rowOf(usage, stored)
}
