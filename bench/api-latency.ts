import { MiB } from '../domain/sizes.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { Product } from './product.ts'
import { finishResult } from './result.ts'
import { median, percentile } from './statistics.ts'

const GOAL_P50_MS = 150
/** The first ones find cold caches and processes that have compiled nothing yet. */
const WARM_UPS = 5

export const apiLatency: Benchmark = {
  name: 'api-latency',
  about: 'a blank volume over HTTP, from request to the end of its operation',
  needs: [qemu, temporal],
  runsDefault: 50,
  run,
}

async function run({ runs, folder, signal }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using product = await Product.start(folder, signal)
  const answered: number[] = []
  const done: number[] = []
  for (let count = -WARM_UPS; count < runs; count++) {
    const startedMs = performance.now()
    const { operation } = await product.client.createVolume({ sizeBytes: MiB })
    const answeredMs = performance.now() - startedMs
    await product.finish(operation)
    const doneMs = performance.now() - startedMs
    if (count < 0) continue
    answered.push(answeredMs)
    done.push(doneMs)
  }
  const ours = median(done)
  return finishResult({
    name: apiLatency.name,
    unit: 'ms',
    ours,
    peers: {},
    ceiling: { name: 'the request is answered (202)', value: median(answered) },
    ratios: {},
    rss: await product.peakRssMb(),
    goals: [{ text: `p50 under ${GOAL_P50_MS} ms`, met: ours < GOAL_P50_MS }],
    details: { 'p95 ms': percentile(done, 0.95), 'p95 answered ms': percentile(answered, 0.95), runs },
  })
}
