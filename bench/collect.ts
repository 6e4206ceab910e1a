import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProcess } from '../block-io/process.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Benchmark, type BenchmarkOptions, type BenchmarkResult, RSS_BUSY_GOAL_MB } from './benchmark.ts'
import type { Requests } from './listing-target.ts'
import { finishResult } from './result.ts'
import { median } from './statistics.ts'

const CHUNKS = 10_000_000
/** As for the data worker, in which collections run. */
const HEAP = [`--max-old-space-size=${LIMITS.dataHeapMiB}`, `--max-semi-space-size=${LIMITS.semiSpaceMiB}`]
const PROCESS = fileURLToPath(new URL('./collect-process.ts', import.meta.url))

/** What collect-process.ts is told, and what it answers. */
export interface CollectJob {
  readonly chunks: number
  readonly spillFolder: string
}

export interface CollectMeasured {
  readonly seconds: number
  /** To make the names of all chunks once, as the target does for each list. */
  readonly listingSeconds: number
  readonly cpuSeconds: number
  readonly phases: Readonly<Record<string, number>>
  readonly requests: Requests
  readonly deleted: number
  readonly pages: number
  readonly rssMb: number
}

export const collection: Benchmark = {
  name: 'collect',
  about:
    'a collection of a target with 10 million chunks, 5 % of them unneeded, that exist in its lists alone',
  needs: [],
  runsDefault: 1,
  run,
}

async function run({ runs, folder, signal }: BenchmarkOptions): Promise<BenchmarkResult> {
  const all: CollectMeasured[] = []
  for (let count = 0; count < runs; count += 1) {
    const job: CollectJob = { chunks: CHUNKS, spillFolder: join(folder, 'spill') }
    const { stdout } = await runProcess(process.execPath, [...HEAP, PROCESS, JSON.stringify(job)], { signal })
    all.push(JSON.parse(stdout))
  }
  const of = (figure: (measured: CollectMeasured) => number) => median(all.map(figure))
  const [first] = all
  const phases = Object.keys(first?.phases ?? {}).map((phase): [string, number] => [
    `${phase} s`,
    of((measured) => measured.phases[phase] ?? 0),
  ])
  const requests = Object.entries(first?.requests ?? {}).map(([kind, count]): [string, number] => [
    `${kind} requests`,
    count,
  ])
  return finishResult({
    name: collection.name,
    unit: 's',
    ours: of(({ seconds }) => seconds),
    peers: {},
    ceiling: {
      name: 'making the names of all chunks once',
      value: of(({ listingSeconds }) => listingSeconds),
    },
    ratios: {},
    rss: { collector: Math.max(...all.map(({ rssMb }) => rssMb)) },
    rssGoalMb: RSS_BUSY_GOAL_MB,
    details: {
      ...Object.fromEntries(phases),
      ...Object.fromEntries(requests),
      'CPU s': of(({ cpuSeconds }) => cpuSeconds),
      'million chunks': CHUNKS / 1e6,
      'index pages': first?.pages ?? 0,
      'objects deleted': first?.deleted ?? 0,
      runs,
    },
  })
}
