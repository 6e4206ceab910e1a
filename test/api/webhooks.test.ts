import { beforeEach, expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

let api: TestApi

beforeEach(async () => {
  api = await startApi()
})

const url = 'https://example.org/hook'

test('A webhook is created with a secret that is in that answer alone', async () => {
  const { webhook, secret } = await api.client.webhooks.create({ url: 'https://Example.org:443/hook' })
  expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  expect(webhook).toMatchObject({
    ...{ name: null, url, eventTypes: null, kinds: null, resourceId: null, status: 'active' },
    ...{ disabledReason: null, lastEventId: 0, backlog: 0, failures: 0, failingSince: null, nextTryAt: null },
    ...{ lastError: null, lastErrorAt: null, lastSuccessAt: null, oldSecretUntil: null, updatedAt: null },
  })
  const rows = await api.database.selectFrom('webhooks').selectAll().execute()
  const shown = [await api.client.webhooks.show(webhook.id), await api.client.webhooks.list(), rows]
  expect(JSON.stringify(shown)).not.toContain(secret.slice('whsec_'.length, -1))
})

test.for<[string, Record<string, unknown>, number, string]>([
  ['no URL', { url: undefined }, 400, 'invalidRequest'],
  ['a private address', { url: 'https://10.0.0.1/' }, 400, 'webhookUrlNotAllowed'],
  ['the service itself', { url: 'https://[::1]:8780/' }, 400, 'webhookUrlNotAllowed'],
  ['a metadata service', { url: 'http://169.254.169.254/' }, 400, 'webhookUrlNotAllowed'],
  ['a file', { url: 'file:///etc/passwd' }, 400, 'webhookUrlNotAllowed'],
  ['a password', { url: 'https://a:b@example.org/' }, 400, 'webhookUrlNotAllowed'],
  ['an endless URL', { url: `https://example.org/${'a'.repeat(3000)}` }, 400, 'invalidRequest'],
  ['an unknown event', { eventTypes: ['exploded'] }, 400, 'invalidRequest'],
  ['no event at all', { eventTypes: [] }, 400, 'invalidRequest'],
  ['an unknown kind', { kinds: ['mine-coins'] }, 400, 'invalidRequest'],
  ['a name with control characters', { name: 'a\u001b[2J' }, 400, 'invalidRequest'],
  ['an unknown field', { secret: 'mine' }, 400, 'invalidRequest'],
])('A webhook with %s is refused and nothing is created', async ([, request, status, code]) => {
  const answer = await api.app.inject({
    method: 'POST',
    url: '/operations/v1/webhooks',
    payload: { url, ...request },
  })
  expect(answer.statusCode).toBe(status)
  expect(answer.json()).toMatchObject({ error: { code } })
  expect(await api.database.selectFrom('webhooks').selectAll().execute()).toEqual([])
})

test('A repeated request with the same key makes one webhook, and tells its secret again', async () => {
  const first = await api.client.webhooks.create({ url }, { idempotencyKey: 'k' })
  expect(await api.client.webhooks.create({ url }, { idempotencyKey: 'k' })).toEqual(first)
  expect((await api.client.webhooks.list()).items).toHaveLength(1)
})

test('A change touches what is given, and counts what waits anew', async () => {
  const { webhook } = await api.client.webhooks.create({ url, name: 'ci', kinds: ['create-volume'] })
  const { operation } = await api.client.createVolume({ sizeBytes: MiB })
  await runToEnd(api.database, operation.id)
  expect(await api.client.webhooks.show(webhook.id)).toMatchObject({ backlog: 3, kinds: ['create-volume'] })
  const changed = await api.client.webhooks.update(webhook.id, { eventTypes: ['ended'], enabled: false })
  expect(changed).toMatchObject({
    ...{ name: 'ci', kinds: ['create-volume'], eventTypes: ['ended'], backlog: 1 },
    ...{ status: 'disabled', disabledReason: 'By a user.' },
  })
  const bad = api.client.webhooks.update(webhook.id, { url: 'https://192.168.0.1/' })
  await expect(bad).rejects.toMatchObject({ status: 400, code: 'webhookUrlNotAllowed' })
  const enabled = await api.client.webhooks.update(webhook.id, { enabled: true, kinds: null, name: null })
  expect(enabled).toMatchObject({ status: 'active', disabledReason: null, kinds: null, name: null, url })
  expect(await api.client.webhooks.retry(webhook.id, { after: 'newest' })).toMatchObject({ backlog: 0 })
  expect(await api.client.webhooks.retry(webhook.id, { after: 0 })).toMatchObject({ backlog: 1 })
  const unknown = api.client.webhooks.retry(webhook.id, { after: 4711 })
  await expect(unknown).rejects.toMatchObject({ status: 400, code: 'unknownEvent' })
})

test('A rotated secret is another one, and the old one is honoured for as long as is said', async () => {
  const { webhook, secret } = await api.client.webhooks.create({ url })
  const rotated = await api.client.webhooks.rotateSecret(webhook.id)
  expect(rotated.secret).not.toBe(secret)
  expect(rotated.webhook.secretFingerprint).not.toBe(webhook.secretFingerprint)
  const keptMs = Date.parse(rotated.webhook.oldSecretUntil ?? '') - Date.now()
  expect(Math.round(keptMs / 60_000)).toBe(24 * 60)
  const revoked = await api.client.webhooks.rotateSecret(webhook.id, { oldSecretSeconds: 0 })
  expect(revoked.webhook.oldSecretUntil).toBeNull()
  expect(new Set([secret, rotated.secret, revoked.secret]).size).toBe(3)
  const forTooLong = api.client.webhooks.rotateSecret(webhook.id, { oldSecretSeconds: 8 * 86_400 })
  await expect(forTooLong).rejects.toMatchObject({ status: 400, code: 'invalidRequest' })
})

test('Webhooks are found by name, paged, and hidden from other projects', async () => {
  const { webhook } = await api.client.webhooks.create({ url, name: 'a' })
  await api.client.webhooks.create({ url, name: 'b' })
  expect((await api.client.webhooks.list({ name: 'a' })).items.map(({ id }) => id)).toEqual([webhook.id])
  const page = await api.client.webhooks.list({ limit: 1 })
  expect((await api.client.webhooks.list({ marker: page.next ?? '' })).items).toMatchObject([{ name: 'a' }])
  await api.client.webhooks.test(webhook.id)
  for (const [method, path] of [
    ['GET', ''],
    ['PATCH', ''],
    ['DELETE', ''],
    ['POST', '/retry'],
    ['POST', '/rotate-secret'],
    ['POST', '/test'],
    ['GET', '/deliveries'],
    ['GET', '/deliveries/1'],
  ] as const) {
    const answer = await api.app.inject({
      method,
      url: `/operations/v1/webhooks/${webhook.id}${path}`,
      headers: { 'x-project-id': 'other' },
      ...(method === 'PATCH' ? { payload: {} } : {}),
    })
    expect(answer.statusCode, `${method} ${path}`).toBe(404)
    expect(answer.json().error.code).toBe('webhookNotFound')
  }
  const unknown = api.client.webhooks.showDelivery(webhook.id, 2)
  await expect(unknown).rejects.toMatchObject({ status: 404, code: 'deliveryNotFound' })
  expect(await api.client.webhooks.showDelivery(webhook.id, 1)).toMatchObject({ outcome: 'waiting' })
  expect(await api.client.webhooks.delete(webhook.id)).toMatchObject({ name: 'a' })
  await expect(api.client.webhooks.show(webhook.id)).rejects.toMatchObject({ status: 404 })
  expect(await api.database.selectFrom('webhookDeliveries').selectAll().execute()).toEqual([])
})

test('A project has room for twenty webhooks', async () => {
  for (let n = 0; n < 20; n += 1) await api.client.webhooks.create({ url })
  const more = api.client.webhooks.create({ url })
  await expect(more).rejects.toMatchObject({ status: 409, code: 'tooManyWebhooks' })
})
