/**
 * `npm run bench -- NAME [--json] [--runs N] [--without CONTENDER]…`; `npm run bench -- --list` names them. Exit code 1 where the
 * goal was not met.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EXIT } from '../cli/exit-codes.ts'
import { untilInterrupted } from '../cli/interrupt.ts'
import { setUp } from '../scripts/setup/set-up.ts'
import { apiLatency } from './api-latency.ts'
import { apiPage } from './api-page.ts'
import { backup } from './backup.ts'
import { collection } from './collect.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { describe } from './describe.ts'
import { imageTransfer } from './image-transfer.ts'
import { imageToVolume } from './image-to-volume.ts'
import { incremental } from './incremental.ts'
import { rbdClone } from './rbd-clone.ts'
import { rbdBackup } from './rbd-backup.ts'
import { rbdFlatten } from './rbd-flatten.ts'
import { rbdIncremental } from './rbd-incremental.ts'
import { rbdRestore } from './rbd-restore.ts'
import { recovery } from './recovery.ts'
import { restore } from './restore.ts'
import { scan } from './scan.ts'
import { sparse } from './sparse.ts'

const BENCHMARKS = [
  apiLatency,
  apiPage,
  imageToVolume,
  imageTransfer,
  backup,
  restore,
  incremental,
  sparse,
  scan,
  recovery,
  collection,
  rbdClone,
  rbdIncremental,
  rbdFlatten,
  rbdBackup,
  rbdRestore,
]

process.exitCode = await main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  return EXIT.failed
})

async function main(args: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
      runs: { type: 'string' },
      without: { type: 'string', multiple: true, default: [] },
    },
  })
  const benchmark = BENCHMARKS.find(({ name }) => name === positionals[0])
  if (values.list || benchmark === undefined) {
    for (const { name, about } of BENCHMARKS) console.log(`${name.padEnd(16)}  ${about}`)
    return values.list ? EXIT.ok : EXIT.usage
  }
  const runs = Number(values.runs ?? benchmark.runsDefault)
  if (!Number.isInteger(runs) || runs < 1)
    throw new Error(`Expected --runs to be a whole number from 1, got ${values.runs}`)
  await setUp(benchmark.needs)
  const result = await untilInterrupted((signal) =>
    runIn(benchmark, { runs, without: new Set(values.without), signal }),
  )
  if (result === 'interrupted') return EXIT.interrupted
  console.log(values.json ? JSON.stringify(result) : describe(result))
  return result.met ? EXIT.ok : EXIT.failed
}

async function runIn(
  benchmark: Benchmark,
  options: Omit<BenchmarkOptions, 'folder'>,
): Promise<BenchmarkResult> {
  const folder = await mkdtemp(join(tmpdir(), 'volflow-bench-'))
  try {
    return await benchmark.run({ ...options, folder })
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
