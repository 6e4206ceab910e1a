import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BlockDevice } from '../block-io/device.ts'
import { runProcess } from '../block-io/process.ts'
import { build } from '../scripts/build.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { contest, type Contestant, type Row } from './contest.ts'
import { warm } from './disk.ts'
import { borgIn, hasBorg } from './peers/borg.ts'
import { runPeer, type Usage } from './peers/run-peer.ts'
import { finishResult } from './result.ts'
import { figuresOf, rowOf } from './row.ts'
import { makeSampleVolume, VOLUME_BYTES } from './sample-volume.ts'

/** What scan-process.ts is told. */
export interface ScanJob {
  readonly repository: string
  readonly key: string
  readonly device: BlockDevice
  readonly parentBackupId?: string
  readonly backupId?: string
  readonly socketDirectory: string
}

const PROCESS = fileURLToPath(new URL('./scan-process.ts', import.meta.url))
const FILE = 'volflow, plain file'
const NBD = 'volflow, qcow2 over NBD'
const BORG = 'borg'
const HASH = 'openssl sha256'
const CPU_GOALS = { [FILE]: 1000, [NBD]: 700 } as const

export const scan: Benchmark = {
  name: 'scan',
  about:
    'an incremental backup that must read the whole sample volume and finds nothing changed; beside borg, openssl sha256',
  needs: [qemu],
  runsDefault: 3,
  run,
}

async function run({ runs, folder, signal, without }: BenchmarkOptions): Promise<BenchmarkResult> {
  const raw = join(folder, 'source.raw')
  await makeSampleVolume(raw)
  const contestants = {
    ...(await ours(raw, folder, signal)),
    ...(hasBorg() && { [BORG]: await borg(raw, folder, signal) }),
    [HASH]: async () => rowOf(await runPeer('openssl', ['dgst', '-sha256', raw], { signal })),
  }
  await warm(raw)
  const figures = figuresOf(await contest(runs, contestants, { signal, without }))
  const cpu = (name: string) => figures.of(name, 'MiB per CPU s')
  const peers = figures.column('MiB per CPU s', [BORG])
  return finishResult({
    name: scan.name,
    unit: 'MiB per CPU s',
    ours: cpu(FILE),
    peers,
    ceiling: { name: `${HASH} of the volume`, value: cpu(HASH) },
    ratios: Object.fromEntries(Object.entries(peers).map(([name, rate]) => [name, cpu(FILE) / rate])),
    rss: { 'plain file': figures.of(FILE, 'peak RSS MB'), NBD: figures.of(NBD, 'peak RSS MB') },
    goals: Object.entries(CPU_GOALS).map(([name, wanted]) => ({
      text: `${name}: ${wanted} MiB per CPU second`,
      met: cpu(name) >= wanted,
    })),
    details: { runs },
    table: figures.table,
    absent: hasBorg() ? [] : [BORG],
  })
}

async function ours(raw: string, folder: string, signal: AbortSignal): Promise<Record<string, Contestant>> {
  const compiled = dirname(dirname(await build()))
  const qcow2 = join(folder, 'source.qcow2')
  await runProcess('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, qcow2], { signal })
  await warm(qcow2)
  const repository = join(folder, 'repository')
  await mkdir(repository)
  const parentBackupId = randomUUID()
  const common = { repository, key: randomBytes(32).toString('hex'), socketDirectory: folder }
  const file = { sizeBytes: VOLUME_BYTES, blockdev: { driver: 'raw' }, plainFile: raw }
  const blockdev = { driver: 'qcow2', file: { driver: 'file', filename: qcow2 }, backing: null }
  const once = async (job: ScanJob): Promise<Usage & { newChunks: number }> => {
    const options = { signal, env: { UV_THREADPOOL_SIZE: '16' } }
    const { stdout, peakRssBytes } = await runPeer(
      process.execPath,
      [PROCESS, compiled, JSON.stringify(job)],
      options,
    )
    return { ...JSON.parse(stdout), peakRssBytes }
  }
  await once({ ...common, device: file, backupId: parentBackupId })
  const unchanged = async (device: BlockDevice): Promise<Row> => {
    const { newChunks, ...usage } = await once({ ...common, device, parentBackupId })
    if (newChunks > 0) throw new Error(`Expected nothing to have changed, got ${newChunks} new chunks`)
    return rowOf(usage)
  }
  return {
    [FILE]: () => unchanged(file),
    [NBD]: () => unchanged({ sizeBytes: VOLUME_BYTES, blockdev }),
  }
}

async function borg(raw: string, folder: string, signal: AbortSignal): Promise<Contestant> {
  const place = join(folder, 'borg')
  const peer = borgIn(place, signal)
  await peer.init()
  await peer.backup(raw, 'first')
  return async (run) => rowOf(await peer.backup(raw, `run-${run}`))
}
