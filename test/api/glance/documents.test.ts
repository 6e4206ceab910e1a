import { expect, test } from 'vitest'
import { KiB } from '../../../domain/sizes.ts'
import { startGlance } from './start-glance.ts'

test('The versions are told to everybody, the newest first', async () => {
  const { url } = await startGlance()
  for (const [path, status] of [
    ['', 300],
    ['/', 300],
    ['/versions', 200],
    ['/v2', 200],
    ['/v2/', 200],
  ] as const) {
    const answer = await fetch(`${url}/image${path}`)
    expect([path, answer.status]).toEqual([path, status])
    const { versions } = (await answer.json()) as { versions: { id: string }[] }
    expect(versions[0]).toEqual({
      id: 'v2.18',
      status: 'CURRENT',
      links: [{ rel: 'self', href: `${url}/image/v2/` }],
    })
    expect(versions.map(({ id }) => id)).toContain('v2.0')
  }
})

test.for([
  ...['image', 'images', 'member', 'members', 'task', 'tasks', 'metadefs/namespace', 'metadefs/namespaces'],
  ...['metadefs/resource_type', 'metadefs/object', 'metadefs/property', 'metadefs/tag'],
])('There is a schema of %s', async (name) => {
  const { call } = await startGlance()
  const answer = await call('GET', `/v2/schemas/${name}`, { as: 'p1:reader' })
  expect(answer.status).toBe(200)
  expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(['name', 'properties']))
})

test('An image answers to its schema', async () => {
  const { call, create } = await startGlance()
  const { properties, additionalProperties } = (await call('GET', '/v2/schemas/image')).body
  const image = await create({ name: 'a', mine: 'x' })
  expect(additionalProperties).toEqual({ type: 'string' })
  expect(Object.keys(image).filter((name) => !(name in properties))).toEqual(['mine'])
})

test('What is not there is not found', async () => {
  const { call } = await startGlance()
  for (const path of [
    ...['/v2/schemas/nothing', '/v2/schemas/toString', '/v2/metadefs/namespaces/OS::Compute::Hypervisor'],
    ...['/v2/cache', '/v2/tasks/nothing', '/v3/images'],
  ]) {
    expect([path, (await call('GET', path)).status]).toEqual([path, 404])
  }
  expect((await call('GET', '/v2/metadefs/namespaces')).body.namespaces).toEqual([])
  expect((await call('GET', '/v2/metadefs/resource_types')).body.resource_types).toEqual([])
})

test('The service says which stores and import methods it has', async () => {
  const { call } = await startGlance()
  expect((await call('GET', '/v2/info/import')).body['import-methods'].value).toContain('glance-direct')
  expect((await call('GET', '/v2/info/stores')).body).toEqual({
    stores: [{ id: 'files', default: 'true' }, { id: 'second' }],
  })
  expect((await call('GET', '/v2/info/stores/detail')).status).toBe(403)
  expect((await call('GET', '/v2/info/stores/detail', { as: 'admins:admin' })).body.stores[0]).toEqual({
    id: 'files',
    default: 'true',
    type: 'file',
    properties: {},
  })
})

test('Usage counts what a project has', async () => {
  const { call, create, upload } = await startGlance()
  const { id } = await create()
  await upload(id, Buffer.alloc(KiB))
  await create()
  await create({}, 'p2:member')
  expect((await call('GET', '/v2/info/usage')).body.usage).toEqual({
    image_size_total: { limit: -1, usage: 1 },
    image_stage_total: { limit: -1, usage: 0 },
    image_count_total: { limit: -1, usage: 2 },
    image_count_uploading: { limit: -1, usage: 0 },
  })
})

test('Tasks are the operations that bring bytes, of the project alone, in pages', async () => {
  const { call, create, upload } = await startGlance()
  for (let count = 0; count < 3; count += 1) {
    const { id } = await create()
    await upload(id, Buffer.alloc(KiB))
  }
  const first = (await call('GET', '/v2/tasks?limit=2')).body
  expect(first.tasks).toHaveLength(2)
  expect(first.tasks[0]).toMatchObject({ type: 'api_image_import', status: 'success', owner: 'p1' })
  const second = (await call('GET', first.next)).body
  expect(second.tasks).toHaveLength(1)
  expect(second.next).toBeUndefined()
  const [{ id }] = second.tasks
  expect((await call('GET', `/v2/tasks/${id}`)).body).toMatchObject({ id, message: '', status: 'success' })
  expect((await call('GET', `/v2/tasks/${id}`, { as: 'p2:member' })).status).toBe(404)
  expect((await call('GET', '/v2/tasks?status=failure')).body.tasks).toEqual([])
  expect((await call('GET', '/v2/tasks?status=perhaps')).status).toBe(400)
  expect((await call('GET', '/v2/tasks', { as: 'p2:member' })).body.tasks).toEqual([])
  expect((await call('POST', '/v2/tasks', { body: { type: 'import' } })).status).toBe(403)
})

test('A task under way says how far it is', async () => {
  const { call, create, upload, database } = await startGlance({ idle: true })
  const { id } = await create()
  const uploading = upload(id, Buffer.alloc(KiB))
  await expect.poll(() => database.selectFrom('operations').select('id').execute()).toHaveLength(1)
  await database
    .updateTable('operations')
    .set({ state: 'running', phase: 'copying', doneBytes: 512, totalBytes: 2048 })
    .execute()
  const [task] = (await call('GET', `/v2/images/${id}/tasks`)).body.tasks
  expect(task).toMatchObject({ status: 'processing', message: 'copying: 25 % (512 B of 2 KiB)' })
  await database
    .updateTable('operations')
    .set({ state: 'succeeded', finishedAt: new Date().toISOString() })
    .execute()
  expect((await uploading).status).toBe(204)
})
