import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { eventView } from '../../api/native/views.ts'
import { loadWebhookKey } from '../../config/secrets.ts'
import { pruneEvents } from '../../database/events/prune.ts'
import { openDatabase } from '../../database/open.ts'
import { LIMITS } from '../../domain/limits.ts'
import { MiB } from '../../domain/sizes.ts'
import type { CreateWebhookInput } from '../../sdk/types.ts'
import { WebhookDeliverer } from '../../webhooks/deliverer.ts'
import { Destinations } from '../../webhooks/destinations.ts'
import { takeTurn, type TurnDependencies } from '../../webhooks/turn.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../support/webhook-receiver.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

let api: TestApi
let deps: TurnDependencies
let receiver: WebhookReceiver

beforeEach(async () => {
  api = await startApi()
  const key = await loadWebhookKey(api.webhooks.keyFile)
  deps = { database: api.database, key, destinations: new Destinations(api.webhooks), view: eventView }
  const made = await startWebhookReceiver()
  receiver = made
  onTestFinished(() => made[Symbol.asyncDispose]())
})

const never = new AbortController().signal
const turn = (id: string) => takeTurn(deps, id, never)

async function newWebhook(input: Partial<CreateWebhookInput> = {}): Promise<string> {
  const { webhook, secret } = await api.client.webhooks.create({ url: receiver.url, ...input })
  receiver.secret = secret
  return webhook.id
}

async function newVolume(): Promise<string> {
  const { operation } = await api.client.createVolume({ sizeBytes: MiB })
  await runToEnd(api.database, operation.id)
  return operation.id
}

const show = (id: string) => api.client.webhooks.show(id)
const ids = () => receiver.taken.map(({ data }) => data.id)
const makeDue = (id: string) =>
  api.database.updateTable('webhooks').set({ nextTryAtMs: 0 }).where('id', '=', id).execute()

test('Each event is sent once, in order, signed, as the API shows it', async () => {
  const id = await newWebhook()
  const [first, second] = [await newVolume(), await newVolume()]
  await turn(id)
  const { items } = await api.client.listEvents()
  expect(receiver.taken.map(({ data }) => data)).toEqual(items)
  expect(receiver.taken.map(({ type, data }) => [type, (data.operation as { id: string }).id])).toEqual([
    ['operation.accepted', first],
    ['operation.started', first],
    ['operation.ended', first],
    ['operation.accepted', second],
    ['operation.started', second],
    ['operation.ended', second],
  ])
  expect(receiver.taken.every(({ isGenuine }) => isGenuine)).toBe(true)
  expect(receiver.taken[0]).toMatchObject({
    id: `msg_${id}_${items[0]?.id}`,
    timestamp: items[0]?.createdAt,
    headers: { 'content-type': 'application/json', 'user-agent': 'volflow-webhooks' },
  })
  const shown = await show(id)
  expect(shown).toMatchObject({
    status: 'active',
    backlog: 0,
    lastEventId: items.at(-1)?.id,
    lastError: null,
  })
  expect(shown.lastSuccessAt).not.toBeNull()
  const { items: deliveries } = await api.client.webhooks.listDeliveries(id, { limit: 1 })
  expect(deliveries).toMatchObject([
    { number: 6, type: 'operation.ended', eventId: items.at(-1)?.id, outcome: 'delivered', statusCode: 204 },
  ])
  await turn(id)
  expect(receiver.received).toHaveLength(6)
})

test('A message that is not taken holds up those behind it, and is tried again under the same id', async () => {
  const id = await newWebhook()
  await newVolume()
  receiver.answer = ({ type }) => ({
    status: type === 'operation.started' ? 500 : 200,
    body: 'x'.repeat(100_000),
  })
  await turn(id)
  expect(receiver.received.map(({ type }) => type)).toEqual(['operation.accepted', 'operation.started'])
  const failing = await show(id)
  expect(failing).toMatchObject({
    ...{ status: 'failing', failures: 1, lastError: 'the receiver answered 500', backlog: 2 },
  })
  expect(Date.parse(failing.nextTryAt ?? '')).toBeGreaterThan(Date.parse(failing.lastErrorAt ?? ''))
  // Not before its time ...
  await turn(id)
  expect(receiver.received).toHaveLength(2)
  await makeDue(id)
  await turn(id)
  expect((await show(id)).failures).toBe(2)
  receiver.answer = () => ({ status: 200 })
  // ... unless a user wants it.
  expect(await api.client.webhooks.retry(id)).toMatchObject({ status: 'active' })
  await turn(id)
  expect(receiver.received.map(({ type }) => type)).toEqual([
    'operation.accepted',
    'operation.started',
    'operation.started',
    'operation.started',
    'operation.ended',
  ])
  expect(new Set(receiver.received.map((message) => message.id)).size).toBe(3)
  expect(await show(id)).toMatchObject({
    ...{ status: 'active', failures: 0, failingSince: null, nextTryAt: null, backlog: 0 },
    lastError: 'the receiver answered 500',
  })
})

test('A receiver can ask for time, which is bounded, and can end it all with 410', async () => {
  const id = await newWebhook()
  await newVolume()
  receiver.answer = () => ({ status: 503, headers: { 'retry-after': '120' } })
  await turn(id)
  const waitMs = async () => Date.parse((await show(id)).nextTryAt ?? '') - Date.now()
  expect(Math.round((await waitMs()) / 10_000)).toBe(12)
  receiver.answer = () => ({ status: 429, headers: { 'retry-after': '999999999' } })
  await makeDue(id)
  await turn(id)
  expect(await waitMs()).toBeLessThanOrEqual(LIMITS.webhookRetryMaxMs)
  receiver.answer = () => ({ status: 410 })
  await makeDue(id)
  await turn(id)
  expect(await show(id)).toMatchObject({
    ...{
      status: 'disabled',
      disabledReason: 'The receiver answered 410: it wants no more messages.',
      backlog: 3,
    },
  })
  await turn(id)
  expect(receiver.received).toHaveLength(3)
})

test('A webhook that fails for five days is disabled with the reason, and goes on from there when it is enabled', async () => {
  const id = await newWebhook()
  await newVolume()
  await receiver.close()
  await turn(id)
  const failingSince = new Date(Date.now() - LIMITS.webhookFailureMaxMs - 1).toISOString()
  await api.database.updateTable('webhooks').set({ failingSince }).where('id', '=', id).execute()
  expect(await show(id)).toMatchObject({ status: 'failing' })
  await makeDue(id)
  await turn(id)
  const disabled = await show(id)
  expect(disabled).toMatchObject({ status: 'disabled', nextTryAt: null, failingSince, backlog: 3 })
  expect(disabled.disabledReason).toMatch(
    /^Nothing could be delivered for 5 days. Last error: .*ECONNREFUSED/,
  )
  await newVolume()
  await receiver.open()
  expect(await api.client.webhooks.update(id, { enabled: true })).toMatchObject({
    status: 'active',
    failures: 0,
  })
  await turn(id)
  expect(ids()).toEqual([1, 2, 3, 4, 5, 6])
})

test('A test message is sent on request, also past a backlog that fails, and changes nothing', async () => {
  const id = await newWebhook()
  await newVolume()
  receiver.answer = ({ type }) => ({ status: type === 'webhook.test' ? 202 : 500 })
  await turn(id)
  const before = await show(id)
  const { number } = await api.client.webhooks.test(id)
  await turn(id)
  expect(await api.client.webhooks.showDelivery(id, number)).toMatchObject({
    ...{ type: 'webhook.test', outcome: 'delivered', statusCode: 202, error: null },
  })
  expect(receiver.taken).toMatchObject([{ type: 'webhook.test', isGenuine: true, data: { webhookId: id } }])
  expect(await show(id)).toEqual(before)
})

test('Events that were removed before they could be delivered are told of, in their place', async () => {
  const id = await newWebhook()
  const missing = [await newVolume(), await newVolume()]
  await pruneEvents(api.database, Date.now(), { countMax: 0, ageMaxMs: LIMITS.eventAgeMaxMs })
  await newVolume()
  await turn(id)
  expect(missing).toHaveLength(2)
  expect(receiver.taken.map(({ type, isGenuine }) => [type, isGenuine])).toEqual([
    ['events.missing', true],
    ['operation.accepted', true],
    ['operation.started', true],
    ['operation.ended', true],
  ])
  expect(receiver.taken[0]?.data).toEqual({ afterId: 0, upToId: 6 })
  expect((await api.client.webhooks.listDeliveries(id)).items.at(-1)).toMatchObject({
    type: 'events.missing',
  })
  await turn(id)
  expect(receiver.received).toHaveLength(4)
})

test('After a rotation both secrets verify, and after a revocation the new one alone', async () => {
  const id = await newWebhook()
  const old = receiver.secret
  const { secret } = await api.client.webhooks.rotateSecret(id)
  await newVolume()
  receiver.answer = ({ data }) => {
    receiver.secret = data.id === 1 ? secret : old
    return { status: 200 }
  }
  await turn(id)
  expect(receiver.taken.map(({ isGenuine }) => isGenuine)).toEqual([true, true, true])
  await api.client.webhooks.rotateSecret(id, { oldSecretSeconds: 0 })
  await newVolume()
  receiver.secret = secret
  receiver.answer = () => ({ status: 200 })
  await turn(id)
  expect(receiver.taken.slice(3).map(({ isGenuine }) => isGenuine)).toEqual([false, false, false])
})

test('A process with another key sends nothing, and says what is wrong', async () => {
  const id = await newWebhook()
  await newVolume()
  await takeTurn({ ...deps, key: randomBytes(32) }, id, never)
  expect(receiver.received).toEqual([])
  expect((await show(id)).lastError).toMatch(/^Expected the key with which the secret was made/)
})

test('An address that is no longer allowed is not sent to', async () => {
  const id = await newWebhook()
  await newVolume()
  const stricter = new Destinations({ allowHttp: true, allowedNetworks: [] })
  await takeTurn({ ...deps, destinations: stricter }, id, never)
  expect(receiver.received).toEqual([])
  expect((await show(id)).lastError).toMatch(/Expected a public address, got one of another kind: loopback/)
})

test('A turn that is broken off gives its lease back, and what was not answered is sent again', async () => {
  const id = await newWebhook()
  await newVolume()
  const stopping = new AbortController()
  receiver.answer = ({ data }) => {
    if (data.id !== 2) return { status: 200 }
    stopping.abort(new Error('stopped'))
    return undefined
  }
  await expect(takeTurn(deps, id, stopping.signal)).rejects.toThrow('stopped')
  expect(await show(id)).toMatchObject({ lastEventId: 1, failures: 0 })
  receiver.answer = () => ({ status: 200 })
  await turn(id)
  expect(ids()).toEqual([1, 2, 3])
})

test('Two control workers deliver to many webhooks, to each in order, while events come and one receiver hangs', async () => {
  const hanging = await startWebhookReceiver()
  onTestFinished(() => hanging[Symbol.asyncDispose]())
  hanging.answer = () => undefined
  await api.client.webhooks.create({ url: hanging.url })
  const hooks = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const one = await startWebhookReceiver()
      onTestFinished(() => one[Symbol.asyncDispose]())
      one.secret = (await api.client.webhooks.create({ url: one.url })).secret
      return one
    }),
  )
  const stopping = new AbortController()
  const other = await openDatabase(api.place)
  const workers = [api.database, other].map(
    (database) => new WebhookDeliverer({ ...deps, database }, pino({ enabled: false }), stopping.signal),
  )
  const stepping = workers.map(async (worker) => {
    while (!stopping.signal.aborted) {
      await worker.step()
      await delay(20)
    }
    await worker.drain()
  })
  for (let n = 0; n < 10; n += 1) await newVolume()
  const deadlineMs = Date.now() + 20_000
  while (hooks.some(({ taken }) => taken.length < 30) && Date.now() < deadlineMs) await delay(20)
  stopping.abort(new Error('stopped'))
  await Promise.all(stepping)
  await other.destroy()
  const wanted = (await api.client.listEvents()).items.map(({ id }) => id)
  expect(wanted).toHaveLength(30)
  for (const { taken } of hooks) {
    expect(taken.map(({ data }) => data.id)).toEqual(wanted)
    expect(taken.every(({ isGenuine }) => isGenuine)).toBe(true)
  }
  expect(hanging.received.length).toBeGreaterThan(0)
})
