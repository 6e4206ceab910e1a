import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../block-io/process.ts'
import { locate } from '../scripts/setup/locate.ts'
import { backup, detailsOf } from './backup.ts'
import { startBackupFixture } from './backup-fixture.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { copyAndSync, DISK_DATA_MIB } from './disk.ts'
import type { Product } from './product.ts'
import { resticIn } from './restic.ts'
import { finishResult } from './result.ts'
import { type Contender, secondsOf, takeTurns } from './take-turns.ts'

export const restore: Benchmark = {
  name: 'restore',
  about: 'the same backup becomes a new volume; beside restic, zstd -d',
  needs: backup.needs,
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startBackupFixture(folder, 1, signal)
  const { product, volumeId, raw, targetKinds } = fixture
  const ours: Contender[] = []
  for (const kind of targetKinds) {
    const { backup: made, operation } = await product.client.createBackup({ volumeId, target: `${kind}-0` })
    await product.finish(operation)
    ours.push(() => restoreOnce(product, kind, made?.id ?? ''))
  }
  const compressed = join(folder, 'source.zst')
  await runProcess('zstd', ['-1', '-q', raw, '-o', compressed], { signal })
  const output = join(folder, 'output')
  const timed = async (name: string, work: () => Promise<unknown>) => {
    const seconds = await secondsOf(work)
    await rm(output, { recursive: true })
    return { [name]: DISK_DATA_MIB / seconds }
  }
  const others: Contender[] = [
    () => timed('zstd -d', () => decompress(compressed, output, signal)),
    () => timed('cp', () => copyAndSync(raw, output)),
  ]
  if (locate('restic') !== undefined) {
    const resticFolder = join(folder, 'restic')
    await mkdir(resticFolder)
    const peer = resticIn(resticFolder, signal)
    await peer.init()
    await peer.backup(raw)
    others.push(() => timed('restic', () => peer.restore(output)))
  }
  const medians = await takeTurns(runs, [...ours, ...others], signal)
  const { cp = Number.NaN, directory = Number.NaN, restic } = medians
  const peers = {
    'zstd -d': medians['zstd -d'] ?? Number.NaN,
    ...(restic === undefined ? {} : { restic }),
  }
  return finishResult({
    name: restore.name,
    unit: 'MiB/s',
    ours: directory,
    peers,
    ceiling: { name: 'cp of the raw file and sync', value: cp },
    ratios: Object.fromEntries(Object.entries(peers).map(([name, rate]) => [name, directory / rate])),
    rss: await product.peakRssMb(),
    details: { ...detailsOf(medians, targetKinds), runs },
  })
}

async function restoreOnce(
  product: Product,
  kind: string,
  backupId: string,
): Promise<Record<string, number>> {
  let seconds = 0
  let volumeId = ''
  const cpuSeconds = await product.dataCpuSeconds(async () => {
    seconds = await secondsOf(async () => {
      volumeId = (await product.makeVolume({ backupId })).volumeId
    })
  })
  await product.deleteVolume(volumeId)
  return { [kind]: DISK_DATA_MIB / seconds, [`${kind} per CPU s`]: DISK_DATA_MIB / cpuSeconds }
}

async function decompress(compressed: string, output: string, signal: AbortSignal): Promise<void> {
  await runProcess('zstd', ['-d', '-q', '--sparse', compressed, '-o', output], { signal })
  await runProcess('sync', ['--data', output], { signal })
}
