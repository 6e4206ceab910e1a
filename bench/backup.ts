import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../block-io/process.ts'
import { locate } from '../scripts/setup/locate.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { versitygw } from '../scripts/setup/s3-servers.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import { startBackupFixture } from './backup-fixture.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { copyAndSync, DISK_DATA_MIB } from './disk.ts'
import type { Product } from './product.ts'
import { restic, resticIn } from './restic.ts'
import { finishResult } from './result.ts'
import { type Contender, secondsOf, takeTurns } from './take-turns.ts'

export const backup: Benchmark = {
  name: 'backup',
  about:
    'a full backup of 2 GiB with 1 GiB of data, to a directory and to S3; beside restic, sha256sum + zstd',
  needs: [qemu, temporal, versitygw, restic],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using fixture = await startBackupFixture(folder, runs, signal)
  const { product, volumeId, raw, targetKinds } = fixture
  const output = join(folder, 'output')
  const timed = async (name: string, work: () => Promise<unknown>) => {
    const seconds = await secondsOf(work)
    await rm(output, { recursive: true })
    return { [name]: DISK_DATA_MIB / seconds }
  }
  const ours = targetKinds.map(
    (kind): Contender =>
      (index) =>
        backUp(product, volumeId, kind, index),
  )
  const medians = await takeTurns(
    runs,
    [
      ...ours,
      () => timed('sha256sum + zstd -1', () => hashAndCompress(raw, output, signal)),
      () => timed('cp', () => copyAndSync(raw, output)),
      ...(locate('restic') === undefined ? [] : [() => timedRestic(raw, output, signal)]),
    ],
    signal,
  )
  const { cp = Number.NaN, directory = Number.NaN, restic: resticRate } = medians
  const peers = {
    'sha256sum + zstd -1': medians['sha256sum + zstd -1'] ?? Number.NaN,
    ...(resticRate === undefined ? {} : { restic: resticRate }),
  }
  return finishResult({
    name: backup.name,
    unit: 'MiB/s',
    ours: directory,
    peers,
    ceiling: { name: 'cp of the raw file and sync', value: cp },
    ratios: Object.fromEntries(Object.entries(peers).map(([name, rate]) => [name, directory / rate])),
    rss: await product.peakRssMb(),
    details: { ...detailsOf(medians, targetKinds), runs },
  })
}

/** What else is known of our own runs, for each kind of target. */
export function detailsOf(
  medians: Readonly<Record<string, number>>,
  targetKinds: readonly string[],
): Record<string, number> {
  return Object.fromEntries(
    targetKinds.flatMap((kind) => [
      [`${kind} MiB/s`, medians[kind] ?? Number.NaN],
      [`${kind} MiB per CPU s`, medians[`${kind} per CPU s`] ?? Number.NaN],
    ]),
  )
}

async function backUp(
  product: Product,
  volumeId: string,
  kind: string,
  index: number,
): Promise<Record<string, number>> {
  let seconds = 0
  const cpuSeconds = await product.dataCpuSeconds(async () => {
    seconds = await secondsOf(async () => {
      const { operation } = await product.client.createBackup({ volumeId, target: `${kind}-${index}` })
      await product.finish(operation)
    })
  })
  return { [kind]: DISK_DATA_MIB / seconds, [`${kind} per CPU s`]: DISK_DATA_MIB / cpuSeconds }
}

/** Both at once, as a backup does; the output is on the disk at the end. */
async function hashAndCompress(raw: string, output: string, signal: AbortSignal): Promise<void> {
  await Promise.all([
    runProcess('sha256sum', [raw], { signal }),
    runProcess('zstd', ['-1', '-T2', '-q', raw, '-o', output], { signal }),
  ])
  await runProcess('sync', ['--data', output], { signal })
}

async function timedRestic(
  raw: string,
  output: string,
  signal: AbortSignal,
): Promise<Record<string, number>> {
  await mkdir(output)
  const peer = resticIn(output, signal)
  await peer.init()
  const seconds = await secondsOf(() => peer.backup(raw))
  await rm(output, { recursive: true })
  return { restic: DISK_DATA_MIB / seconds }
}
