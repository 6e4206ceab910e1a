import { expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { VolflowClient } from '../../sdk/client.ts'
import { runToEnd } from './end-operation.ts'
import { startApi } from './start-api.ts'

test('A volume is accepted with its operation, dispatched once, and shown with its holder until it is done', async () => {
  const { client, database, dispatched } = await startApi()
  const { volume, operation } = await client.createVolume({
    sizeBytes: MiB,
    name: 'data',
    metadata: { owner: 'me' },
  })
  expect(volume).toMatchObject({
    status: 'creating',
    name: 'data',
    sizeBytes: MiB,
    metadata: { owner: 'me' },
  })
  expect(operation).toMatchObject({ kind: 'create-volume', state: 'pending', resourceId: volume?.id })
  expect(dispatched).toEqual([operation.id])
  expect(await client.showVolume(operation.resourceId)).toMatchObject({ holderOperationId: operation.id })
  await runToEnd(database, operation.id)
  const shown = await client.showVolume(operation.resourceId)
  expect(shown.status).toBe('available')
  expect(shown).not.toHaveProperty('holderOperationId')
})

test('One idempotency key, twenty times at once, starts one operation', async () => {
  const { client, database } = await startApi()
  const requests = Array.from({ length: 20 }, () =>
    client.createVolume({ sizeBytes: MiB, name: 'once' }, { idempotencyKey: 'k-1' }),
  )
  const answers = await Promise.all(requests)
  expect(new Set(answers.map((answer) => answer.operation.id)).size).toBe(1)
  expect(await database.selectFrom('operations').select('id').execute()).toHaveLength(1)
  expect(await database.selectFrom('volumes').select('id').execute()).toHaveLength(1)
})

test('A reused idempotency key for something else is refused', async () => {
  const { client } = await startApi()
  await client.createVolume({ sizeBytes: MiB }, { idempotencyKey: 'k-1' })
  const other = client.createVolume({ sizeBytes: 2 * MiB }, { idempotencyKey: 'k-1' })
  await expect(other).rejects.toMatchObject({ status: 409, code: 'idempotencyKeyReused' })
})

test('A repeated request whose volume is gone by now still gets its operation', async () => {
  const { client } = await startApi()
  const first = await client.createVolume({ sizeBytes: MiB }, { idempotencyKey: 'k-1' })
  await client.cancelOperation(first.operation.id)
  const second = await client.createVolume({ sizeBytes: MiB }, { idempotencyKey: 'k-1' })
  expect(second.volume).toBeNull()
  expect(second.operation).toMatchObject({ id: first.operation.id, state: 'cancelled' })
})

test('A dispatch that fails or hangs delays no answer', async () => {
  const failing = await startApi({ dispatch: () => Promise.reject(new Error('Temporal is away')) })
  expect((await failing.client.createVolume({ sizeBytes: MiB })).operation.state).toBe('pending')
  const hanging = await startApi({ dispatch: () => new Promise(() => {}) })
  expect((await hanging.client.createVolume({ sizeBytes: MiB })).operation.state).toBe('pending')
})

test('Pages go from the newest to the oldest, each item once', async () => {
  const { client } = await startApi()
  const created = []
  for (let n = 0; n < 5; n += 1)
    created.push((await client.createVolume({ sizeBytes: MiB })).operation.resourceId)
  const seen: string[] = []
  let next: string | null = null
  do {
    const page = await client.listVolumes({ limit: 2, ...(next === null ? {} : { marker: next }) })
    expect(page.items.length).toBeLessThanOrEqual(2)
    seen.push(...page.items.map(({ id }) => id))
    next = page.next
  } while (next !== null)
  expect(seen.toSorted()).toEqual(created.toSorted())
  expect((await client.listOperations({ kind: 'create-volume', state: 'pending' })).items).toHaveLength(5)
  expect((await client.listOperations({ state: 'failed' })).items).toEqual([])
})

test('A project sees nothing of another', async () => {
  const { client, url } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB, name: 'mine' })
  const other = new VolflowClient({ baseUrl: url, projectId: 'other' })
  expect((await other.listVolumes()).items).toEqual([])
  expect((await other.listOperations()).items).toEqual([])
  await expect(other.showVolume(operation.resourceId)).rejects.toMatchObject({ status: 404 })
  await expect(other.showOperation(operation.id)).rejects.toMatchObject({ status: 404 })
  await expect(other.cancelOperation(operation.id)).rejects.toMatchObject({ status: 404 })
  const page = await other.listOperations({ resourceId: operation.resourceId })
  expect(page.items).toEqual([])
})

test('A snapshot, a backup and a collection are accepted with what they need', async () => {
  const { client, database } = await startApi()
  const volume = await client.createVolume({ sizeBytes: MiB })
  const volumeId = volume.operation.resourceId
  await runToEnd(database, volume.operation.id)
  const { snapshot, operation } = await client.createSnapshot({ volumeId, name: 'before' })
  expect(snapshot).toMatchObject({ volumeId, status: 'creating', sizeBytes: MiB })
  await runToEnd(database, operation.id)
  const full = await client.createBackup({ volumeId, target: 's3' })
  expect(full.backup).toMatchObject({ volumeId, target: 's3', incremental: false, status: 'creating' })
  const end = { outcome: 'succeeded', result: { path: 'full', objectCount: 3, storedBytes: 900 } } as const
  await runToEnd(database, full.operation.id, end)
  expect(await client.showBackup(full.operation.resourceId)).toMatchObject({
    objectCount: 3,
    storedBytes: 900,
  })
  const more = await client.createBackup({ volumeId, target: 's3', incremental: true })
  expect(more.backup).toMatchObject({ incremental: true, parentId: full.operation.resourceId })
  await expect(client.createBackup({ volumeId, target: 'disk', incremental: true })).rejects.toMatchObject({
    code: 'noParentBackup',
  })
  const collection = await client.collectTarget('disk', { dryRun: true })
  expect(collection.operation).toMatchObject({ kind: 'collect-target', resourceId: 'disk' })
})

test('A failed operation says why', async () => {
  const { client, database } = await startApi()
  const { operation } = await client.createVolume({ sizeBytes: MiB })
  await runToEnd(database, operation.id, {
    outcome: 'failed',
    error: { code: 'full', message: 'The disk is full' },
  })
  expect(await client.showOperation(operation.id)).toMatchObject({
    state: 'failed',
    error: { code: 'full', message: 'The disk is full' },
  })
})

test('A request id is passed on where it is one, and made up where it is not', async () => {
  const { app } = await startApi()
  const given = await app.inject({ url: '/healthz', headers: { 'x-openstack-request-id': 'req-abc-1' } })
  expect(given.headers['x-openstack-request-id']).toBe('req-abc-1')
  const hostile = await app.inject({ url: '/healthz', headers: { 'x-openstack-request-id': 'req-<script>' } })
  expect(hostile.headers['x-openstack-request-id']).toMatch(/^req-[0-9a-f-]{36}$/)
})

test('Readiness tells what is missing', async () => {
  const { app } = await startApi({
    isReady: async () => ({ ready: false, checks: { temporal: 'no answer' } }),
  })
  const answer = await app.inject('/readyz')
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toEqual({ ready: false, checks: { temporal: 'no answer' } })
  expect((await app.inject('/healthz')).json()).toEqual({ ok: true })
})

test('The documentation is one page without anything from elsewhere', async () => {
  const { app } = await startApi()
  const answer = await app.inject('/docs')
  expect(answer.headers['content-type']).toContain('text/html')
  expect(answer.body).toContain('/operations/v1/volumes')
  expect(answer.body).not.toMatch(/src=|https?:/)
  expect((await app.inject('/docs/openapi.json')).json().openapi).toBe('3.1.0')
})
