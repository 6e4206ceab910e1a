import { expect, test } from 'vitest'
import { KiB } from '../../../domain/sizes.ts'
import { hash, startGlance } from './start-glance.ts'

const DIRECT = { method: { name: 'glance-direct' } }

test('Staged bytes wait until they are imported', async () => {
  const { create, call, show, database } = await startGlance()
  const bytes = Buffer.alloc(5 * KiB, 7)
  const { id } = await create({ disk_format: null, container_format: null })
  expect((await call('PUT', `/v2/images/${id}/stage`, { bytes })).status).toBe(204)
  expect(await show(id)).toMatchObject({ status: 'uploading', size: null, checksum: null })
  expect((await call('GET', `/v2/images/${id}/file`)).status).toBe(204)
  const early = await call('POST', `/v2/images/${id}/import`, { body: DIRECT })
  expect([early.status, early.text]).toEqual([400, expect.stringContaining('disk_format')])
  // The formats may still be said: nobody has believed the bytes yet.
  const row = { diskFormat: 'raw', containerFormat: 'bare' } as const
  await database.updateTable('images').set(row).execute()
  const imported = await call('POST', `/v2/images/${id}/import`, { body: DIRECT })
  expect(imported.status).toBe(202)
  await expect.poll(async () => (await show(id)).status).toBe('active')
  expect(await show(id)).toMatchObject({
    size: bytes.length,
    os_hash_value: hash('sha512', bytes),
    stores: 'files',
  })
  const { tasks } = (await call('GET', `/v2/images/${id}/tasks`)).body
  expect(tasks).toEqual([
    expect.objectContaining({
      id: imported.headers.get('operation-id'),
      type: 'api_image_import',
      status: 'success',
      image_id: id,
      user_id: 'user-of-p1',
      input: { image_id: id, import_req: { method: { name: 'glance-direct' } } },
      request_id: imported.headers.get('x-openstack-request-id'),
    }),
  ])
})

test('An import of what is not what it says ends with the image queued again', async () => {
  const { create, call, show } = await startGlance()
  const { id } = await create({ disk_format: 'qcow2' })
  await call('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.alloc(KiB) })
  expect((await call('POST', `/v2/images/${id}/import`, { body: DIRECT })).status).toBe(202)
  await expect.poll(async () => (await show(id)).status).toBe('queued')
  expect(await show(id)).toMatchObject({ size: null, os_hash_value: null })
  const [task] = (await call('GET', `/v2/images/${id}/tasks`)).body.tasks
  expect(task).toMatchObject({ status: 'failure', message: expect.stringContaining('qcow2') })
})

test.for<[string, unknown, Record<string, string>, number]>([
  ['without bytes', DIRECT, {}, 409],
  ['from a URL', { method: { name: 'web-download', uri: 'http://127.0.0.1/' } }, {}, 400],
  ['from another cloud', { method: { name: 'glance-download' } }, {}, 400],
  ['by no method', {}, {}, 400],
  ['to an unknown store', { ...DIRECT, stores: ['tape'] }, {}, 400],
  ['to a store and to all', { ...DIRECT, stores: ['files'], all_stores: true }, {}, 400],
  ['to two stores at once', { ...DIRECT, stores: ['files'] }, { 'x-image-meta-store': 'files' }, 400],
])('An import %s is refused', async ([, body, headers, status]) => {
  const { create, call } = await startGlance()
  const { id } = await create()
  expect((await call('POST', `/v2/images/${id}/import`, { body, headers })).status).toBe(status)
})

test('An import into another store than the bytes are staged in is refused, and they stay', async () => {
  const { create, call, show } = await startGlance()
  const { id } = await create()
  await call('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.alloc(KiB) })
  const elsewhere = await call('POST', `/v2/images/${id}/import`, { body: { ...DIRECT, stores: ['second'] } })
  expect([elsewhere.status, elsewhere.text]).toEqual([400, expect.stringContaining('store files')])
  expect((await show(id)).status).toBe('uploading')
  const there = await call('POST', `/v2/images/${id}/import`, { body: { ...DIRECT, stores: ['files'] } })
  expect(there.status).toBe(202)
  await expect.poll(async () => (await show(id)).status).toBe('active')
})

test('Others import nothing', async () => {
  const { create, call } = await startGlance()
  const { id } = await create({ visibility: 'community' })
  await call('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.alloc(KiB) })
  const path = `/v2/images/${id}/import`
  expect((await call('POST', path, { body: DIRECT, as: 'p2:member' })).status).toBe(403)
  expect((await call('POST', path, { body: DIRECT, as: 'p1:reader' })).status).toBe(403)
})

test('A staged image that is deleted leaves no bytes', async () => {
  const { create, call, database } = await startGlance()
  const { id } = await create()
  await call('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.alloc(KiB) })
  expect((await call('GET', '/v2/info/usage')).body.usage.image_stage_total.usage).toBe(1)
  expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(204)
  await expect.poll(() => database.selectFrom('images').select('id').execute()).toEqual([])
  expect(await database.selectFrom('uploads').select('imageId').execute()).toEqual([])
})

test('Staged bytes that nobody imported in time are no longer imported', async () => {
  const { create, call, database } = await startGlance()
  const { id } = await create()
  await call('PUT', `/v2/images/${id}/stage`, { bytes: Buffer.alloc(KiB) })
  await database.updateTable('uploads').set({ leaseExpiresAtMs: 0 }).execute()
  expect((await call('POST', `/v2/images/${id}/import`, { body: DIRECT })).status).toBe(409)
})
