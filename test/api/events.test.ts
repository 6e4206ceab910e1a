import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { EventBell } from '../../api/streams/event-bell.ts'
import { pruneEvents } from '../../database/events/prune.ts'
import type { Database } from '../../database/open.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { VolflowClient } from '../../sdk/client.ts'
import type { Operation, LogEvent } from '../../sdk/types.ts'
import { writeInProcesses } from '../database/write-in-processes.ts'
import { runToEnd } from './end-operation.ts'
import { startApi } from './start-api.ts'

const EVENTS_OF_ONE = 3
const ROWS_AT_ONCE = 200

test('Events are listed from the oldest, page by page, each once', async () => {
  const { client } = await apiWith(5)
  const seen: number[] = []
  for (let after: number | null = 0; after !== null;) {
    const page: { items: LogEvent[]; next: number | null } = await client.listEvents({
      after,
      limit: 4,
    })
    seen.push(...page.items.map(({ id }) => id))
    after = page.next
  }
  expect(seen).toEqual(ids(1, 5 * EVENTS_OF_ONE))
})

test('Events of one operation or one resource are listed, and none of another project', async () => {
  const { client, url, operations } = await apiWith(3)
  const [, second] = operations
  if (second === undefined) throw new Error('Expected operations')
  const ofOperation = await client.listEvents({ operationId: second.id })
  expect(ofOperation.items.map(({ type, operation }) => [type, operation?.id, operation?.state])).toEqual([
    ['accepted', second.id, 'pending'],
    ['started', second.id, 'running'],
    ['ended', second.id, 'succeeded'],
  ])
  expect(await client.listEvents({ resourceId: second.resourceId })).toEqual(ofOperation)
  const other = new VolflowClient({ baseUrl: url, projectId: 'other' })
  expect((await other.listEvents({ operationId: second.id })).items).toEqual([])
})

test('A position from which events were removed is refused, and so is one that never was', async () => {
  const { client, database } = await apiWith(4)
  await pruneEvents(database, Date.now(), { countMax: 5, ageMaxMs: 60_000 })
  await expect(client.listEvents({ after: 3 })).rejects.toMatchObject({ status: 410, code: 'eventsExpired' })
  await expect(client.listEvents({ after: 99 })).rejects.toMatchObject({ status: 400, code: 'unknownEvent' })
  const stream = client.followEvents({ after: 3 })[Symbol.asyncIterator]()
  await expect(stream.next()).rejects.toMatchObject({ status: 410, code: 'eventsExpired' })
  expect((await client.listEvents()).items.map(({ id }) => id)).toEqual(ids(8, 12))
  expect((await client.listEvents({ after: 7 })).items).toHaveLength(5)
})

test('A stream that breaks again and again has every event once while four processes write', async () => {
  const { url, place } = await startApi()
  const operations = 15
  let connections = 0
  const client = new VolflowClient({
    baseUrl: url,
    projectId: 'p1',
    fetch: async (input, init) => {
      connections += 1
      return breakAfter(await fetch(input, init), 5_000 + 1_919 * (connections % 5))
    },
  })
  const last = 4 * operations * EVENTS_OF_ONE
  const reading = readUntil(client.followEvents({ after: 0 }), last)
  await writeInProcesses(place, { processes: 4, operations })
  expect(await reading).toEqual(ids(1, last))
  expect(connections).toBeGreaterThan(4)
  expect(await readUntil(client.followEvents({ after: 77 }), last)).toEqual(ids(78, last))
}, 60_000)

test('A stream without a position begins with what happens from then on, also after it broke before the first event', async () => {
  const { client, url, database } = await apiWith(2)
  let connections = 0
  const breaking = new VolflowClient({
    baseUrl: url,
    fetch: async (input, init) => {
      connections += 1
      const response = await fetch(input, init)
      if (connections > 1) return response
      const first = await response.body?.getReader().read()
      // What happens before the client comes back is not lost on it.
      await runToEnd(database, (await client.createVolume({ sizeBytes: MiB })).operation.id)
      return new Response(first?.value as Uint8Array<ArrayBuffer>)
    },
  })
  expect(await readUntil(breaking.followEvents(), 9)).toEqual([7, 8, 9])
  expect(connections).toBe(2)
})

test('A watcher of one operation that comes back is not told again what it knows', async () => {
  const { url, client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  const path = `${url}/operations/v1/operations/${operation.id}/events`
  const first = await firstBytes(path)
  expect(first).toMatch(/^id: 1\nevent: operation\ndata: \{/)
  const behind = await firstBytes(path, '0')
  expect(behind).toBe(first)
  const again = firstBytes(path, '1', () => runToEnd(database, operation.id))
  expect(await again).toMatch(/^id: [23]\nevent: operation\n.*"state":"(running|succeeded)"/)
})

test('A client that takes nothing is cut off, and the others go on', async () => {
  const { url, client, database, operations } = await apiWith(1)
  const count = 8_000
  await addLongEvents(database, operations[0]?.id ?? '', count)
  const socket = await watchWithoutReading(url)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  const startedMs = performance.now()
  expect(await readUntil(client.followEvents({ after: 0 }), 3 + count)).toHaveLength(3 + count)
  // It notices only when it reads on: what was in the buffers on the way, and then the end.
  await new Promise((resolve) =>
    setTimeout(resolve, LIMITS.watchStallMs + 1_000 - (performance.now() - startedMs)),
  )
  let bytes = 0
  socket.on('data', (data) => (bytes += data.length))
  await closed
  expect(bytes).toBeLessThan((count * LIMITS.eventMessageLengthMax) / 2)
}, 60_000)

test('A service that stops waits for no client that takes nothing, and for none that says nothing', async () => {
  const { url, app, database, operations } = await apiWith(1)
  await addLongEvents(database, operations[0]?.id ?? '', 8_000)
  const stalled = await watchWithoutReading(url)
  const silent = connect(Number(new URL(url).port), '127.0.0.1')
  await once(silent, 'connect')
  const closed = once(silent, 'close')
  await app.close()
  stalled.destroy()
  expect((await closed)[0]).toBe(false)
}, 60_000)

test('Only so many may watch at a time', async () => {
  const { database } = await startApi()
  const bell = new EventBell(database, pino({ enabled: false }))
  const watchings = Array.from({ length: LIMITS.watchersMax }, () => bell.watch(() => true))
  expect(() => bell.watch(() => true)).toThrow(
    expect.objectContaining({ status: 503, code: 'tooManyWatchers' }),
  )
  watchings.pop()?.stop()
  watchings.push(bell.watch(() => true))
  for (const watching of watchings) watching.stop()
})

/** Events with messages as long as they may be, after the three of the first operation; hundreds of them. */
async function addLongEvents(database: Database, operationId: string, count: number): Promise<void> {
  const sample = { projectId: 'default', operationId, resourceId: '', type: 'ended' } as const
  const errorMessage = 'x'.repeat(LIMITS.eventMessageLengthMax)
  const payload = JSON.stringify({ errorCode: 'x', errorMessage })
  const createdAt = new Date().toISOString()
  const sampleOf = (id: number) => ({ id, ...sample, payload, createdAt })
  await database.transaction().execute(async (tx) => {
    for (let id = 4; id < 4 + count; id += ROWS_AT_ONCE) {
      const rows = Array.from({ length: ROWS_AT_ONCE }, (_, index) => sampleOf(id + index))
      await tx.insertInto('events').values(rows).execute()
    }
    await tx
      .updateTable('eventLog')
      .set({ lastId: 3 + count })
      .execute()
  })
}

async function watchWithoutReading(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).on('error', () => {})
  socket.write(`GET /operations/v1/events/stream?after=0 HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`)
  await once(socket, 'readable')
  return socket
}

/** An API that has run so many operations. */
async function apiWith(count: number) {
  const api = await startApi()
  const operations: Operation[] = []
  for (let n = 0; n < count; n += 1) {
    const { operation } = await api.client.createVolume({ sizeBytes: MiB })
    await runToEnd(api.database, operation.id)
    operations.push(operation)
  }
  return { ...api, operations }
}

function ids(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

async function readUntil(events: AsyncIterable<LogEvent>, lastId: number): Promise<number[]> {
  const seen: number[] = []
  for await (const { id } of events) {
    seen.push(id)
    if (id >= lastId) break
  }
  return seen
}

/** The connection is lost after so many bytes, wherever that is. */
function breakAfter(response: Response, bytesMax: number): Response {
  let left = bytesMax
  const cut = new TransformStream<Uint8Array, Uint8Array>({
    transform: (bytes, controller) => {
      controller.enqueue(bytes.subarray(0, left))
      left -= bytes.length
      if (left <= 0) controller.error(new Error('connection lost'))
    },
  })
  return new Response(response.body?.pipeThrough(cut) ?? null, response)
}

async function firstBytes(
  url: string,
  lastEventId?: string,
  onOpen: () => Promise<void> = async () => {},
): Promise<string> {
  const request = get(url, { headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId } })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  const bytes = once(response, 'data')
  await onOpen()
  const [first] = (await bytes) as [Buffer]
  request.destroy()
  return first.toString()
}
