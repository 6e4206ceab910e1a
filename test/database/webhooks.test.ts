import { afterEach, beforeEach, expect, test } from 'vitest'
import { pruneEvents } from '../../database/events/prune.ts'
import { eventPosition } from '../../database/events/read.ts'
import type { Database } from '../../database/open.ts'
import { acquireAttempt, renewAttempt } from '../../database/operations/attempts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { advanceCursors, pendingEvents } from '../../database/webhooks/pending.ts'
import { backlogs, listDeliveries, requireWebhook, type WebhookRow } from '../../database/webhooks/read.ts'
import {
  beginTurn,
  type Delivery,
  dueWebhooks,
  saveTest,
  saveTurn,
  waitingTest,
} from '../../database/webhooks/turns.ts'
import {
  createWebhook,
  deleteWebhook,
  requestTest,
  retryWebhook,
  rotateSecret,
  updateWebhook,
  type WebhookRequest,
} from '../../database/webhooks/write.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

const NOW_MS = 1_000_000
const secretOf = (id: string, generation: number) => ({ fingerprint: `${id}/${generation}` })
const url = 'https://example.org/hook'

async function newWebhook(request: Partial<WebhookRequest> = {}, projectId = 'p1'): Promise<WebhookRow> {
  const { resourceId } = await createWebhook(database, actor(projectId), { url, ...request }, secretOf)
  return requireWebhook(database, { id: resourceId, projectId })
}

async function newVolume(projectId = 'p1') {
  const { operationId, resourceId } = await requestVolume(database, actor(projectId), PLACES, {
    sizeBytes: MiB,
  })
  if (operationId === null) throw new Error('Expected an operation')
  return { operationId, resourceId }
}

/** accepted, started, progress, ended. */
async function wholeOperation(projectId = 'p1') {
  const { operationId, resourceId } = await newVolume(projectId)
  await beginOperation(database, operationId)
  const attempt = await acquireAttempt(database, { operationId, activity: 'copy' }, 1_000)
  if ('waitMs' in attempt) throw new Error('Expected the lease')
  await renewAttempt(database, attempt, 1_500, {
    phase: 'copying',
    doneBytes: 1,
    totalBytes: 2,
    movedBytes: 1,
  })
  await finish(database, operationId)
  return { operationId, resourceId }
}

async function pendingTypes({ id, cursorId }: WebhookRow) {
  return (await pendingEvents(database, id, cursorId)).events.map(({ type }) => type)
}

const due = (nowMs = NOW_MS) => dueWebhooks(database, 10, nowMs)

async function turnOf({ id }: WebhookRow, nowMs = NOW_MS): Promise<WebhookRow> {
  const turn = await beginTurn(database, id, nowMs)
  if (turn === undefined) throw new Error('Expected the lease')
  return turn
}

const delivered = (eventId: number | null): Delivery => ({
  ...{ type: 'operation.ended', eventId, outcome: 'delivered', statusCode: 204, error: null },
  ...{ durationMs: 1, createdAt: new Date(NOW_MS).toISOString() },
})

test('a webhook is told of its own project, from its creation on, of everything but progress', async () => {
  await wholeOperation()
  const webhook = await newWebhook()
  expect(await due()).toEqual([])
  await wholeOperation('p2')
  expect(await due()).toEqual([])
  const { operationId } = await wholeOperation()
  expect(await due()).toEqual([webhook.id])
  const { events, seenUpToId } = await pendingEvents(database, webhook.id, webhook.cursorId)
  expect(events.map(({ type, operation }) => [type, operation?.id])).toEqual([
    ['accepted', operationId],
    ['started', operationId],
    ['ended', operationId],
  ])
  expect(seenUpToId).toBe((await eventPosition(database)).lastId)
  expect(await backlogs(database, [webhook])).toEqual(new Map([[webhook.id, 3]]))
})

test('only the events, kinds and resource that were asked for count', async () => {
  const progress = await newWebhook({ eventTypes: ['progress', 'ended'] })
  const deletions = await newWebhook({ kinds: ['delete-volume', 'delete-backup'] })
  const first = await wholeOperation()
  const second = await wholeOperation()
  const about = await updateWebhook(
    database,
    { id: (await newWebhook()).id, projectId: 'p1' },
    { resourceId: first.resourceId },
  )
  expect(await due()).toEqual([progress.id])
  const { operationId } = await requestVolumeDeletion(database, actor(), first.resourceId)
  await requestVolumeDeletion(database, actor(), second.resourceId)
  expect(await pendingTypes(progress)).toEqual(['progress', 'ended', 'progress', 'ended'])
  expect(await pendingTypes(deletions)).toEqual(['accepted', 'accepted'])
  const { events } = await pendingEvents(database, about.id, about.cursorId)
  expect(events.map(({ operation }) => operation?.id)).toEqual([operationId])
  expect(new Set(await due())).toEqual(new Set([progress.id, deletions.id, about.id]))
})

test('one at a time has the turn; who loses the lease writes nothing more', async () => {
  const webhook = await newWebhook()
  const { operationId } = await wholeOperation()
  const first = await turnOf(webhook)
  expect(await due()).toEqual([])
  expect(await beginTurn(database, webhook.id, NOW_MS + 1)).toBeUndefined()
  const laterMs = NOW_MS + LIMITS.webhookLeaseMs
  expect(await due(laterMs)).toEqual([webhook.id])
  const second = await turnOf(webhook, laterMs)
  const { events } = await pendingEvents(database, webhook.id, webhook.cursorId)
  expect(events.map(({ operation }) => operation?.id)).toContain(operationId)
  const eventId = events[0]?.id ?? 0
  const progress = { cursorId: eventId, deliveries: [delivered(eventId)], isOver: false }
  expect(await saveTurn(database, first, progress, laterMs)).toBe(false)
  expect(await requireWebhook(database, { id: webhook.id, projectId: 'p1' })).toMatchObject({
    cursorId: webhook.cursorId,
    deliveryCount: 0,
  })
  expect(await saveTurn(database, second, progress, laterMs)).toBe(true)
  expect(await saveTurn(database, second, { ...progress, deliveries: [], isOver: true }, laterMs)).toBe(true)
  expect(await due(laterMs)).toEqual([webhook.id])
  expect(await pendingTypes({ ...webhook, cursorId: eventId })).toEqual(['started', 'ended'])
})

test('a change by a user ends the turn that is under way', async () => {
  const webhook = await newWebhook()
  const key = { id: webhook.id, projectId: 'p1' }
  await wholeOperation()
  const changes = [
    () => updateWebhook(database, key, { url: 'https://example.org/other' }),
    () => updateWebhook(database, key, { enabled: false }),
    () => retryWebhook(database, key, undefined),
    () => rotateSecret(database, key, 0, secretOf),
    () => deleteWebhook(database, key),
  ]
  for (const change of changes) {
    const turn = await turnOf(webhook)
    await change()
    const progress = { cursorId: webhook.cursorId + 1, deliveries: [delivered(1)], isOver: true }
    expect(await saveTurn(database, turn, progress, NOW_MS)).toBe(false)
  }
})

test('who waited longest is first, a failing one waits for its next try, and a disabled one for ever', async () => {
  const [a, b, c, d] = [await newWebhook(), await newWebhook(), await newWebhook(), await newWebhook()]
  await wholeOperation()
  for (const [webhook, at] of [
    [a, 300],
    [b, 100],
    [c, 200],
  ] as const) {
    const state = webhook === c ? { nextTryAtMs: NOW_MS + 5 } : {}
    const progress = { cursorId: 0, deliveries: [], state, isOver: true }
    await saveTurn(database, await turnOf(webhook, at), progress, at)
  }
  await updateWebhook(database, { id: d.id, projectId: 'p1' }, { enabled: false })
  expect(await due()).toEqual([b.id, a.id])
  expect(await dueWebhooks(database, 1, NOW_MS)).toEqual([b.id])
  expect(await due(NOW_MS + 5)).toEqual([b.id, c.id, a.id])
  await updateWebhook(database, { id: d.id, projectId: 'p1' }, { enabled: true })
  expect(await due()).toEqual([d.id, b.id, a.id])
})

test('events that come while others are looked for are neither left out nor taken for told', async () => {
  const webhook = await newWebhook({ eventTypes: ['accepted'] })
  const told: number[] = []
  let cursorId = webhook.cursorId
  const look = async () => {
    const { events, seenUpToId } = await pendingEvents(database, webhook.id, cursorId)
    told.push(...events.map(({ id }) => id))
    cursorId = seenUpToId
  }
  for (let n = 0; n < 20; n += 1) await Promise.all([newVolume(), look(), newVolume()])
  await look()
  expect(told).toEqual(Array.from({ length: 40 }, (_, n) => n + 1))
})

test('cursors pass events that do not concern them, up to the first that does', async () => {
  const ends = await newWebhook({ eventTypes: ['ended'] })
  const others = await newWebhook({}, 'p2')
  const { operationId } = await newVolume()
  await beginOperation(database, operationId)
  await advanceCursors(database)
  const cursorOf = async ({ id, projectId }: WebhookRow) =>
    (await requireWebhook(database, { id, projectId })).cursorId
  const before = (await eventPosition(database)).lastId
  expect([await cursorOf(ends), await cursorOf(others)]).toEqual([before, before])
  await newVolume()
  await finish(database, operationId)
  await newVolume()
  await advanceCursors(database)
  const { lastId } = await eventPosition(database)
  expect(await cursorOf(others)).toBe(lastId)
  const { events } = await pendingEvents(database, ends.id, await cursorOf(ends))
  expect(events.map(({ id, operation }) => [id, operation?.id])).toEqual([
    [(await cursorOf(ends)) + 1, operationId],
  ])
  // A turn that began before does not take it back.
  const turn = await turnOf(others)
  expect(await saveTurn(database, turn, { cursorId: 0, deliveries: [], isOver: true }, NOW_MS)).toBe(true)
  expect(await cursorOf(others)).toBe(lastId)
})

test('events that were removed before they were delivered are a gap, and nothing else is', async () => {
  const lagging = await newWebhook()
  const quiet = await newWebhook({ kinds: ['delete-backup'] })
  for (let n = 0; n < 3; n += 1) await wholeOperation()
  await advanceCursors(database)
  await pruneEvents(database, Date.now(), { countMax: 4, ageMaxMs: LIMITS.eventAgeMaxMs })
  const { prunedId } = await eventPosition(database)
  expect(prunedId).toBeGreaterThan(lagging.cursorId)
  const pending = await pendingEvents(database, lagging.id, lagging.cursorId)
  expect(pending).toMatchObject({ missingUpToId: prunedId })
  expect(await pendingEvents(database, lagging.id, prunedId)).not.toHaveProperty('missingUpToId')
  await pruneEvents(database, Date.now(), { countMax: 0, ageMaxMs: LIMITS.eventAgeMaxMs })
  // Even when nothing is left to be delivered, the receiver is told.
  expect(await due()).toEqual([lagging.id])
  await advanceCursors(database)
  expect(await due()).toEqual([lagging.id])
  const { cursorId } = await requireWebhook(database, { id: quiet.id, projectId: 'p1' })
  expect(await pendingEvents(database, quiet.id, cursorId)).not.toHaveProperty('missingUpToId')
})

test('it can hear again from an event that is kept, from the oldest, or leave out what waits', async () => {
  const webhook = await newWebhook()
  const key = { id: webhook.id, projectId: 'p1' }
  await wholeOperation()
  await wholeOperation()
  const { lastId } = await eventPosition(database)
  await pruneEvents(database, Date.now(), { countMax: 4, ageMaxMs: LIMITS.eventAgeMaxMs })
  const { prunedId } = await eventPosition(database)
  await updateWebhook(database, key, { enabled: false })
  expect(await retryWebhook(database, key, 'newest')).toMatchObject({ cursorId: lastId, enabled: 1 })
  expect(await retryWebhook(database, key, undefined)).toMatchObject({ cursorId: lastId })
  expect(await retryWebhook(database, key, 0)).toMatchObject({ cursorId: prunedId })
  expect(await retryWebhook(database, key, lastId - 1)).toMatchObject({ cursorId: lastId - 1 })
  await expect(retryWebhook(database, key, prunedId - 1)).rejects.toMatchObject({ code: 'eventsExpired' })
  await expect(retryWebhook(database, key, lastId + 1)).rejects.toMatchObject({ code: 'unknownEvent' })
  expect(await requireWebhook(database, key)).toMatchObject({ cursorId: lastId - 1 })
})

test('deliveries are numbered, and the newest are kept', async () => {
  const webhook = await newWebhook()
  const turn = await turnOf(webhook)
  const kept = LIMITS.webhookDeliveriesKept
  for (const count of [2 * kept, kept - 1, 3])
    await saveTurn(
      database,
      turn,
      { cursorId: 0, deliveries: Array.from({ length: count }, (_, n) => delivered(n)), isOver: false },
      NOW_MS,
    )
  const list = (before?: number) =>
    listDeliveries(database, {
      ...{ webhookId: webhook.id, projectId: 'p1', limit: 1000 },
      ...(before === undefined ? {} : { before }),
    })
  const all = await list()
  expect(all.map(({ number }) => number)).toEqual(Array.from({ length: kept }, (_, n) => 3 * kept + 2 - n))
  expect(await list(2 * kept + 4)).toMatchObject([{ number: 2 * kept + 3, outcome: 'delivered' }])
})

test('a test is asked for once, is due even while the webhook is disabled, and has an outcome', async () => {
  const webhook = await newWebhook({ enabled: false })
  const key = { id: webhook.id, projectId: 'p1' }
  const asked = await requestTest(database, key)
  expect(await requestTest(database, key)).toEqual(asked)
  expect(await due()).toEqual([webhook.id])
  const turn = await turnOf(webhook)
  expect(await waitingTest(database, webhook.id)).toBe(asked.number)
  await saveTest(database, turn, asked.number, { ...delivered(null), outcome: 'failed', error: 'no' })
  await saveTurn(database, turn, { cursorId: 0, deliveries: [], isOver: true }, NOW_MS)
  expect(await due()).toEqual([])
  const [seen] = await listDeliveries(database, { webhookId: webhook.id, projectId: 'p1', limit: 9 })
  expect(seen).toMatchObject({ number: 1, type: 'webhook.test', outcome: 'failed', error: 'no' })
})
