import { expect, test } from 'vitest'
import { KiB } from '../../../domain/sizes.ts'
import { startGlance, type TestGlance } from './start-glance.ts'

const COPY = { method: { name: 'copy-image' } }

async function withImage(options: { idle?: boolean } = {}): Promise<TestGlance & { id: string }> {
  const api = await startGlance(options)
  const { id } = await api.create({ visibility: 'community' })
  const answer = await api.upload(id, Buffer.alloc(3 * KiB, 1))
  if (answer.status !== 204) throw new Error(answer.text)
  return { ...api, id }
}

test('An image is copied to the stores that lack it, and read from any of them', async () => {
  const { call, show, id, database } = await withImage()
  const answer = await call('POST', `/v2/images/${id}/import`, { body: { ...COPY, all_stores: true } })
  expect([answer.status, answer.headers.get('operation-id')]).toEqual([202, expect.any(String)])
  await expect.poll(async () => (await show(id)).stores).toBe('files,second')
  expect(await show(id)).not.toHaveProperty('os_glance_importing_to_stores')
  expect(await database.selectFrom('imageCopies').selectAll().execute()).toEqual([
    { imageId: id, store: 'second' },
  ])
  expect((await call('DELETE', `/v2/stores/files/${id}`)).status).toBe(204)
  expect((await show(id)).stores).toBe('second')
  const bytes = await call('GET', `/v2/images/${id}/file`)
  expect([bytes.status, bytes.text.length]).toEqual([200, 3 * KiB])
  // The first removal may still hold it.
  await expect.poll(async () => (await call('DELETE', `/v2/stores/second/${id}`)).status).toBe(403)
})

test('A copy that is not the first store goes without a trace of it', async () => {
  const { call, show, id } = await withImage()
  await call('POST', `/v2/images/${id}/import`, { body: { ...COPY, stores: ['second'] } })
  await expect.poll(async () => (await show(id)).stores).toBe('files,second')
  expect((await call('DELETE', `/v2/stores/second/${id}`)).status).toBe(204)
  expect((await show(id)).stores).toBe('files')
  await expect.poll(async () => (await call('DELETE', `/v2/stores/second/${id}`)).status).toBe(404)
})

test.for<[string, object, string, number]>([
  ['to no store', {}, 'p1:member', 400],
  ['to an unknown store', { stores: ['tape'] }, 'p1:member', 400],
  ['to where it is', { stores: ['files'] }, 'p1:member', 409],
  ['of another project', { all_stores: true }, 'p2:member', 403],
  ['by a reader', { all_stores: true }, 'p1:reader', 403],
])('A copy %s is refused', async ([, more, as, status]) => {
  const { call, id } = await withImage()
  const answer = await call('POST', `/v2/images/${id}/import`, { as, body: { ...COPY, ...more } })
  expect(answer.status).toBe(status)
})

test('An image without bytes is not copied', async () => {
  const { call, create } = await startGlance()
  const { id } = await create()
  const body = { ...COPY, stores: ['second'] }
  expect((await call('POST', `/v2/images/${id}/import`, { body })).status).toBe(409)
})

test('While a copy is on its way the image says where to, is not copied there again, and stays', async () => {
  const { call, show, create, database } = await startGlance({ idle: true })
  const { id } = await create()
  const row = { status: 'active', sizeBytes: 1, osHashValue: '0', osHashAlgo: 'sha512' }
  await database.updateTable('images').set(row).execute()
  const copy = () => call('POST', `/v2/images/${id}/import`, { body: { ...COPY, stores: ['second'] } })
  expect((await copy()).status).toBe(202)
  expect(await show(id)).toMatchObject({ os_glance_importing_to_stores: 'second', stores: 'files' })
  expect((await copy()).status).toBe(409)
  expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(409)
  expect((await call('DELETE', `/v2/stores/files/${id}`)).status).toBe(409)
})

test('A protected image keeps all its copies', async () => {
  const { call, id, database } = await withImage()
  await database.updateTable('images').set({ protected: 1 }).execute()
  expect((await call('DELETE', `/v2/stores/files/${id}`)).status).toBe(403)
  expect((await call('DELETE', `/v2/stores/files/${id}`, { as: 'p2:member' })).status).toBe(403)
})

test('The native API copies, too, once per key', async () => {
  const { id, url } = await withImage()
  const copy = async (store: string) => {
    const answer = await fetch(`${url}/operations/v1/images/${id}/copy`, {
      method: 'POST',
      headers: { 'x-test-caller': 'p1:member', 'content-type': 'application/json', 'idempotency-key': 'k' },
      body: JSON.stringify({ store }),
    })
    return { status: answer.status, body: (await answer.json()) as { operation?: { id: string } } }
  }
  const first = await copy('second')
  expect([first.status, (await copy('second')).body.operation?.id]).toEqual([202, first.body.operation?.id])
  expect((await copy('files')).status).toBe(409)
})
