import { randomInt } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MiB } from '../domain/sizes.ts'
import type { ServiceName } from '../scripts/demo/installation.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Operation } from '../sdk/types.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { makeDisk } from './disk.ts'
import { Product } from './product.ts'
import { finishResult } from './result.ts'
import { median } from './statistics.ts'

const GOAL_WORST_S = 30
/** Slow enough that there is always a copy to be met in the middle. */
const RATE_BYTES = 24 * MiB
const SERVICES: readonly ServiceName[] = ['data-worker', 'control-worker', 'api']
const POLL_MS = 20

export const recovery: Benchmark = {
  name: 'recovery',
  about: 'kill -9 of a random process in the middle of a copy: seconds until a user sees bytes move again',
  needs: [qemu, temporal],
  runsDefault: 50,
  run,
}

async function run({ runs, folder, signal }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using product = await Product.start(folder, signal)
  const raw = join(folder, 'source.raw')
  await makeDisk(raw)
  const imageId = await product.uploadImage('raw', await openAsBlob(raw))
  await product.client.changeBackend('files', { rateLimitBytes: RATE_BYTES })
  const seconds: Record<string, number[]> = {}
  let copy: Operation | undefined
  for (let count = 0; count < runs; count++) {
    signal.throwIfAborted()
    copy = await underWay(product, imageId, copy, signal)
    await sleep(randomInt(2_000), undefined, { signal })
    const service = SERVICES[randomInt(SERVICES.length)] ?? 'data-worker'
    ;(seconds[service] ??= []).push(await killAndWait(product, service, copy, signal))
  }
  const all = Object.values(seconds).flat()
  const worst = Math.max(...all)
  return finishResult({
    name: recovery.name,
    unit: 's',
    ours: worst,
    peers: {},
    ceiling: { name: 'median', value: median(all) },
    ratios: {},
    rss: await product.peakRssMb(),
    goals: [{ text: `worst under ${GOAL_WORST_S} s`, met: worst < GOAL_WORST_S }],
    details: {
      ...Object.fromEntries(
        Object.entries(seconds).map(([service, each]) => [`worst after ${service} s`, Math.max(...each)]),
      ),
      runs,
    },
  })
}

/** The same copy as long as it runs, then another. */
async function underWay(
  product: Product,
  imageId: string,
  last: Operation | undefined,
  signal: AbortSignal,
): Promise<Operation> {
  const now = last === undefined ? undefined : await product.client.showOperation(last.id)
  if (now?.finishedAt === null && now.doneBytes < now.totalBytes / 2) return now
  if (now?.finishedAt === null) {
    await product.client.cancelOperation(now.id)
    await product.client.waitForOperation(now.id, { signal })
  }
  const { operation } = await product.client.createVolume({ imageId })
  await movedBeyond(product, operation, 0, signal)
  return operation
}

async function killAndWait(
  product: Product,
  service: ServiceName,
  copy: Operation,
  signal: AbortSignal,
): Promise<number> {
  const pid = await product.pidOf(service)
  const { movedBytes } = await product.client.showOperation(copy.id)
  const startedMs = performance.now()
  process.kill(pid, 'SIGKILL')
  await movedBeyond(product, copy, movedBytes, signal)
  return (performance.now() - startedMs) / 1000
}

/** The API may be away for a while, too. */
async function movedBeyond(
  product: Product,
  { id }: Operation,
  bytes: number,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const now = await product.client.showOperation(id, { signal }).catch(() => undefined)
    if (now?.state === 'failed') throw new Error(`Expected the copy to go on, got: ${now.error?.message}`)
    if ((now?.movedBytes ?? 0) > bytes) return
    await sleep(POLL_MS, undefined, { signal })
  }
}
