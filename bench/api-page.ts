import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { listRows, type Listing } from '../database/cinder/list.ts'
import { type Database, openDatabase } from '../database/open.ts'
import { GiB } from '../domain/sizes.ts'
import { qemu } from '../scripts/setup/qemu.ts'
import { temporal } from '../scripts/setup/temporal.ts'
import type { Benchmark, BenchmarkOptions, BenchmarkResult } from './benchmark.ts'
import { Product } from './product.ts'
import { finishResult } from './result.ts'
import { median, percentile } from './statistics.ts'

const VOLUMES = 10_000
const PAGE = 1000
const ROWS_PER_INSERT = 500
const GOAL_P50_MS = 150
/** The first ones find cold caches and processes that have compiled nothing yet. */
const WARM_UPS = 5
const PROJECT = 'crowded'

export const apiPage: Benchmark = {
  name: 'api-page',
  about: 'a page of 1,000 detailed volumes out of 10,000 over the block storage API',
  needs: [qemu, temporal],
  runsDefault: 50,
  run,
}

async function run({ runs, folder, signal }: BenchmarkOptions): Promise<BenchmarkResult> {
  await using product = await Product.start(folder, signal)
  const database = await openDatabase(join(folder, 'data', 'volflow.db'))
  try {
    await fill(database)
    const pages = await markers(product.apiUrl, signal)
    const answered: number[] = []
    const read: number[] = []
    for (let count = -WARM_UPS; count < runs; count++) {
      const marker = pages.at(count % pages.length)
      const apiMs = await msOf(() => page(product.apiUrl, marker, signal))
      const databaseMs = await msOf(() => listRows(database, 'volumes', listingFrom(marker)))
      if (count < 0) continue
      answered.push(apiMs)
      read.push(databaseMs)
    }
    const ours = median(answered)
    return finishResult({
      name: apiPage.name,
      unit: 'ms',
      ours,
      peers: {},
      ceiling: { name: 'the rows are read by the same statement, without an API', value: median(read) },
      ratios: {},
      rss: await product.peakRssMb(),
      goals: [{ text: `p50 under ${GOAL_P50_MS} ms`, met: ours < GOAL_P50_MS }],
      details: { 'p95 ms': percentile(answered, 0.95), volumes: VOLUMES, 'volumes in a page': PAGE, runs },
    })
  } finally {
    await database.destroy()
  }
}

/** Rows as `volume create` leaves them; making 10,000 real ones would take longer than all else. */
async function fill(database: Database): Promise<void> {
  const type = await database.selectFrom('volumeTypes').select(['id', 'name']).executeTakeFirstOrThrow()
  const imageMetadata = { image_id: randomUUID(), image_name: 'debian', disk_format: 'raw', min_disk: '0' }
  const rowOf = (number: number) => ({
    ...{ id: randomUUID(), projectId: PROJECT, userId: 'user', name: `volume-${number}`, description: null },
    ...{ status: 'available', metadata: JSON.stringify({ purpose: 'bench', number: String(number) }) },
    ...{ createdAt: new Date(Date.now() - number * 1000).toISOString(), updatedAt: null },
    ...{ sizeBytes: GiB, backend: 'files', bootable: number % 2, availabilityZone: 'nova' },
    ...{ volumeType: type.name, volumeTypeId: type.id },
    volumeImageMetadata: number % 2 === 0 ? null : JSON.stringify(imageMetadata),
  })
  for (let first = 0; first < VOLUMES; first += ROWS_PER_INSERT) {
    const rows = Array.from({ length: ROWS_PER_INSERT }, (_, offset) => rowOf(first + offset))
    await database.insertInto('volumes').values(rows).execute()
  }
}

/** Where each page begins: undefined for the first one. */
async function markers(apiUrl: string, signal: AbortSignal): Promise<(string | undefined)[]> {
  const found: (string | undefined)[] = [undefined]
  while (found.length < VOLUMES / PAGE) {
    const volumes = await page(apiUrl, found.at(-1), signal)
    found.push(volumes.at(-1)?.id)
  }
  return found
}

async function page(
  apiUrl: string,
  marker: string | undefined,
  signal: AbortSignal,
): Promise<readonly { readonly id: string }[]> {
  const query = new URLSearchParams({ limit: String(PAGE), ...(marker !== undefined && { marker }) })
  const answer = await fetch(`${apiUrl}/volume/v3/${PROJECT}/volumes/detail?${query.toString()}`, {
    headers: { 'openstack-api-version': 'volume 3.71' },
    signal,
  })
  const { volumes } = (await answer.json()) as { volumes: { id: string }[] }
  if (volumes.length !== PAGE) throw new Error(`Expected a page of ${PAGE}, got ${volumes.length}`)
  return volumes
}

function listingFrom(marker: string | undefined): Listing {
  return {
    ...{
      projectId: PROJECT,
      where: [],
      sort: [{ column: 'createdAt', dir: 'desc' }],
      limit: PAGE,
      offset: 0,
    },
    ...(marker !== undefined && { marker }),
  }
}

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}
