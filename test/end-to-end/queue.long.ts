/** A thousand operations queued at once: all end well, in bounded memory, and another project does not wait behind them. */
import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { VolflowClient } from '../../sdk/client.ts'
import type { Operation } from '../../sdk/types.ts'
import { expectClean } from '../checker/check.ts'
import { Installation } from './installation.ts'
import { MiB, until } from './steps.ts'

const OPERATIONS = 1_000
const OTHERS = 10
/** The other project's operations end among so many that end after they were queued. */
const FAIR_AMONG = 60
const RSS_MAX_BYTES = 400 * MiB

test('of 1,000 operations queued at once all end well, and 10 of another project are not held up by them', async () => {
  await using installation = await Installation.start()
  const [many, few] = ['many', 'few'].map(
    (projectId) => new VolflowClient({ baseUrl: installation.baseUrl, projectId }),
  )
  if (many === undefined || few === undefined) throw new Error('Expected two clients')
  await Promise.all(Array.from({ length: OPERATIONS }, () => many.createVolume({ sizeBytes: MiB })))
  const accepted = await Promise.all(
    Array.from({ length: OTHERS }, () => few.createVolume({ sizeBytes: MiB })),
  )
  const queuedAt = accepted.map(({ operation }) => operation.createdAt).toSorted()[OTHERS - 1] ?? ''
  const open = async () =>
    (await many.listOperations({ state: 'pending', limit: 1 })).items.length +
    (await many.listOperations({ state: 'running', limit: 1 })).items.length
  let peakBytes = 0
  await until(
    'all have ended',
    async () => {
      peakBytes = Math.max(peakBytes, ...(await residentBytes(installation)))
      return (await open()) === 0
    },
    600_000,
  )
  const all = await ends(many, OPERATIONS)
  const others = await ends(few, OTHERS)
  expect([...all, ...others].filter(({ state }) => state !== 'succeeded')).toEqual([])
  const after = [...all, ...others].filter((ended) => finished(ended) > queuedAt)
  const places = after.toSorted((a, b) => finished(a).localeCompare(finished(b)))
  const last = places.findLastIndex(({ projectId }) => projectId === 'few') + 1
  const othersWaited = others.map(({ createdAt, startedAt, finishedAt }) =>
    [startedAt, finishedAt].map((at) => (Date.parse(at ?? '') - Date.parse(createdAt)) / 1000).join('/'),
  )
  const waits = all.map(({ createdAt, finishedAt }) => Date.parse(finishedAt ?? '') - Date.parse(createdAt))
  console.log(
    `last of the other project: place ${last} of ${places.length}; longest wait ${Math.max(...waits) / 1000} s; largest process ${Math.round(peakBytes / MiB)} MiB; the others began/ended after s: ${othersWaited.join(', ')}`,
  )
  expect(last).toBeLessThanOrEqual(FAIR_AMONG)
  expect(peakBytes).toBeLessThan(RSS_MAX_BYTES)
  await expectClean(installation.checked())
})

function finished({ finishedAt }: Operation): string {
  return finishedAt ?? ''
}

async function ends(client: VolflowClient, count: number): Promise<Operation[]> {
  return (await client.listOperations({ limit: count })).items
}

async function residentBytes(installation: Installation): Promise<number[]> {
  const services = ['data-worker', 'control-worker', 'api'] as const
  return Promise.all(
    services.map(async (service) => {
      const status = await readFile(`/proc/${await installation.servicePid(service)}/status`, 'utf8')
      return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024
    }),
  )
}
