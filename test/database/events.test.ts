import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type EventRow, eventPosition, eventsAfter } from '../../database/events/read.ts'
import { pruneEvents } from '../../database/events/prune.ts'
import { recordEvent } from '../../database/events/record.ts'
import type { Database, DatabasePlace } from '../../database/open.ts'
import { acquireAttempt, releaseAttempt, renewAttempt } from '../../database/operations/attempts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { requestCancel } from '../../database/operations/cancel.ts'
import { enterCommit } from '../../database/operations/commit.ts'
import { markUndispatched } from '../../database/operations/dispatch.ts'
import { endOperation } from '../../database/operations/end.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'
import { writeInProcesses } from './write-in-processes.ts'

let database: Database
let place: DatabasePlace
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, place, close } = await temporaryDatabase())
})
afterEach(() => close())

async function newVolume(): Promise<string> {
  return (await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })).operationId ?? ''
}

function log(afterId = 0): Promise<EventRow[]> {
  return eventsAfter(database, { projectId: 'p1' }, { afterId, limit: 10_000 })
}

async function attemptOf(operationId: string, nowMs: number) {
  const attempt = await acquireAttempt(database, { operationId, activity: 'copy' }, nowMs)
  if ('waitMs' in attempt) throw new Error('Expected the lease')
  return attempt
}

const types = (events: readonly EventRow[]) => events.map(({ type }) => type)

test('every change of an operation is an event with the operation as it was then', async () => {
  const operationId = await newVolume()
  await beginOperation(database, operationId)
  const attempt = await attemptOf(operationId, 1_000)
  await renewAttempt(database, attempt, 1_500, step(1))
  await releaseAttempt(database, attempt, 2_000, { message: 'connection refused', nextRetryAtMs: 3_000 })
  await enterCommit(database, operationId)
  await endOperation(database, operationId, { outcome: 'succeeded', result: { path: 'blank' } })
  expect(
    (await log()).map(({ type, operation }) => [type, operation?.state, operation?.finishedAt !== null]),
  ).toEqual([
    ['accepted', 'pending', false],
    ['started', 'running', false],
    ['progress', 'running', false],
    ['attempt-failed', 'running', false],
    ['committing', 'running', false],
    ['ended', 'succeeded', true],
  ])
  const [, started, progress, failed, , end] = await log()
  expect(started?.operation).toMatchObject({
    id: operationId,
    kind: 'create-volume',
    attempt: 0,
    lastError: null,
  })
  expect(progress?.operation).toMatchObject({ phase: 'copying', doneBytes: 1, attempt: 1, lastError: null })
  expect(failed?.operation).toMatchObject({
    lastError: 'connection refused',
    nextRetryAt: new Date(3_000).toISOString(),
  })
  expect(end?.operation).toMatchObject({ result: '{"path":"blank"}' })
})

test('what is repeated is told once: begin, commit, cancel and end', async () => {
  const [first, second] = [await newVolume(), await newVolume()]
  for (let n = 0; n < 2; n += 1) {
    await beginOperation(database, first)
    expect(await enterCommit(database, first)).toBe(true)
  }
  for (let n = 0; n < 2; n += 1) {
    await endOperation(database, first, { outcome: 'succeeded' })
    await beginOperation(database, second)
  }
  for (let n = 0; n < 2; n += 1) await requestCancel(database, { operationId: second, projectId: 'p1' })
  expect(await enterCommit(database, second)).toBe(false)
  expect(types(await log())).toEqual([
    'accepted',
    'accepted',
    'started',
    'committing',
    'ended',
    'started',
    'cancel-requested',
  ])
})

test('an operation whose workflow was lost tells that it waits again', async () => {
  const operationId = await newVolume()
  await beginOperation(database, operationId)
  await markUndispatched(database, operationId)
  await beginOperation(database, operationId)
  expect(types(await log())).toEqual(['accepted', 'started', 'requeued', 'started'])
})

test('a change that is rolled back leaves neither an event nor a gap', async () => {
  await newVolume()
  const lost = database.transaction().execute(async (tx) => {
    const { id } = await tx.selectFrom('operations').select('id').executeTakeFirstOrThrow()
    await recordEvent(tx, id, 'ended')
    throw new Error('the disk is full')
  })
  await expect(lost).rejects.toThrow('the disk is full')
  const refused = requestVolume(database, actor(), PLACES, { sizeBytes: 0 })
  await expect(refused).rejects.toMatchObject({ status: 400 })
  await newVolume()
  expect((await log()).map(({ id, type }) => [id, type])).toEqual([
    [1, 'accepted'],
    [2, 'accepted'],
  ])
})

test('of progress and of failed attempts the log keeps the newest, under a new id each time', async () => {
  const operationId = await newVolume()
  await beginOperation(database, operationId)
  const seen: number[] = []
  for (let n = 1; n <= 200; n += 1) {
    const attempt = await attemptOf(operationId, n)
    await renewAttempt(database, attempt, n, step(n))
    await releaseAttempt(database, attempt, n, { message: `failure ${n}`, nextRetryAtMs: n })
    const news = await log(seen.at(-1) ?? 2)
    expect(types(news)).toEqual(['progress', 'attempt-failed'])
    seen.push(...news.map(({ id }) => id))
  }
  expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => a - b))
  const events = await log()
  expect(types(events)).toEqual(['accepted', 'started', 'progress', 'attempt-failed'])
  expect(events.at(-1)?.operation).toMatchObject({ lastError: 'failure 200', attempt: 200, doneBytes: 200 })
})

test('progress that stays the same is no event', async () => {
  const operationId = await newVolume()
  await beginOperation(database, operationId)
  const attempt = await attemptOf(operationId, 0)
  await renewAttempt(database, attempt, 1, step(7))
  const { lastId } = await eventPosition(database)
  for (let n = 2; n < 10; n += 1) await renewAttempt(database, attempt, n, step(7))
  expect(await eventPosition(database)).toMatchObject({ lastId })
})

test('a message of any length takes little room in the log', async () => {
  const operationId = await newVolume()
  await finish(database, operationId, {
    outcome: 'failed',
    error: { code: 'unexpected', message: 'x'.repeat(1_000_000) },
  })
  expect((await log()).at(-1)?.operation?.errorMessage).toHaveLength(LIMITS.eventMessageLengthMax)
})

test('a reader that follows four writing processes sees every id once, in order, without a gap', async () => {
  const writing = writeInProcesses(place, { processes: 4, operations: 20 })
  const seen: number[] = []
  let isDone = false
  void writing.then(() => (isDone = true))
  for (let isLast = false; !isLast;) {
    isLast = isDone
    seen.push(...(await log(seen.at(-1))).map(({ id }) => id))
    await delay(1)
  }
  expect(seen).toEqual(Array.from({ length: 4 * 20 * 3 }, (_, index) => index + 1))
})

test('the log is cut by count and by age, from its beginning, and says how far', async () => {
  for (let n = 0; n < 10; n += 1) await finish(database, await newVolume())
  await pruneEvents(database, Date.now())
  expect(await log()).toHaveLength(30)
  await pruneEvents(database, Date.now(), { countMax: 12, ageMaxMs: 60_000 })
  expect((await log()).map(({ id }) => id)).toEqual(Array.from({ length: 12 }, (_, index) => index + 19))
  expect(await eventPosition(database)).toEqual({ lastId: 30, prunedId: 18 })
  await pruneEvents(database, Date.now() + 120_000, { countMax: 12, ageMaxMs: 60_000 })
  expect(await log()).toEqual([])
  await newVolume()
  expect(await log()).toMatchObject([{ id: 31 }])
})

function step(doneBytes: number) {
  return { phase: 'copying', doneBytes, totalBytes: 1_000, movedBytes: doneBytes }
}
