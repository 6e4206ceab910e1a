import { randomUUID } from 'node:crypto'
import { expect, test } from 'vitest'
import { startGlance } from './start-glance.ts'

test('A new image has Glance’s fields and defaults, times with a Z, and says how it may get its bytes', async () => {
  const { call, show } = await startGlance()
  const created = await call('POST', '/v2/images', { body: { name: 'debian', hw_disk_bus: 'scsi' } })
  expect(created.status).toBe(201)
  const { id } = created.body
  expect(created.body).toEqual({
    id,
    name: 'debian',
    hw_disk_bus: 'scsi',
    status: 'queued',
    visibility: 'shared',
    owner: 'p1',
    disk_format: null,
    container_format: null,
    size: null,
    virtual_size: null,
    checksum: null,
    os_hash_algo: null,
    os_hash_value: null,
    os_hidden: false,
    protected: false,
    min_disk: 0,
    min_ram: 0,
    tags: [],
    created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    self: `/v2/images/${id}`,
    file: `/v2/images/${id}/file`,
    schema: '/v2/schemas/image',
  })
  expect(created.headers.get('location')).toBe(`/v2/images/${id}`)
  expect(created.headers.get('openstack-image-import-methods')).toContain('glance-direct')
  expect(created.headers.get('openstack-image-import-methods')).not.toContain('web-download')
  expect(created.headers.get('openstack-image-store-ids')).toBe('files,second')
  expect(await show(id)).toEqual(created.body)
})

test('All that may be said at the beginning is kept', async () => {
  const { call, show } = await startGlance()
  const id = randomUUID()
  const body = {
    ...{ id, name: 'all', disk_format: 'qcow2', container_format: 'bare', visibility: 'community' },
    ...{ protected: true, os_hidden: true, tags: ['b', 'a', 'b'], min_disk: 3, min_ram: 512 },
    ...{ 'owner_specified.openstack.md5': '', os_type: 'linux' },
  }
  const created = await call('POST', '/v2/images', { body })
  expect(created.status).toBe(201)
  expect(await show(id)).toMatchObject({ ...body, tags: ['a', 'b'] })
})

test('A repeated creation with the same key is the same image', async () => {
  const { call } = await startGlance()
  const create = (name: string) =>
    call('POST', '/v2/images', { body: { name }, headers: { 'idempotency-key': 'k1' } })
  const [first, second, other] = [await create('a'), await create('a'), await create('b')]
  expect(second.body.id).toBe(first.body.id)
  expect(other.status).toBe(409)
  expect((await call('GET', '/v2/images')).body.images).toHaveLength(1)
})

test.for<[string, object, number]>([
  ['a disk format that is not taken here', { disk_format: 'vmdk' }, 400],
  ['a container format that is not taken here', { container_format: 'ova' }, 400],
  ['a visibility that does not exist', { visibility: 'hidden' }, 400],
  ['a size that is not whole', { min_disk: 1.5 }, 400],
  ['a negative size', { min_ram: -1 }, 400],
  ['an id that is none', { id: 'image-1' }, 400],
  ['a property that is no text', { os_type: 7 }, 400],
  ['a property without a value', { os_type: null }, 400],
  ['a name that is too long', { name: 'x'.repeat(256) }, 400],
  ['a tag that is too long', { tags: ['x'.repeat(256)] }, 400],
  ['tags that are no list', { tags: 'x' }, 400],
  ['too many tags', { tags: Array.from({ length: 129 }, (_, index) => `t${index}`) }, 413],
  [
    'too many properties',
    Object.fromEntries(Array.from({ length: 129 }, (_, index) => [`p${index}`, ''])),
    413,
  ],
  ['a status', { status: 'active' }, 403],
  ['a checksum', { checksum: 'x' }, 403],
  ['a reserved property', { os_glance_stage_host: 'http://here' }, 403],
  ['a location', { locations: [] }, 403],
  ['public visibility, by a member', { visibility: 'public' }, 403],
  ['another owner, by a member', { owner: 'p2' }, 403],
])('An image with %s is refused', async ([, body, status]) => {
  const { call, database } = await startGlance()
  const answer = await call('POST', '/v2/images', { body })
  expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(/<h1>\d{3} .*<\/h1>/)])
  expect(await database.selectFrom('images').select('id').execute()).toEqual([])
})

test('A body that is no object is refused, and so is one of another type', async () => {
  const { call } = await startGlance()
  expect((await call('POST', '/v2/images', { body: [] })).status).toBe(400)
  expect((await call('POST', '/v2/images')).status).toBe(415)
  const broken = { method: 'POST', headers: { 'content-type': 'application/json' }, bytes: Buffer.from('{') }
  expect((await call('POST', '/v2/images', broken)).status).toBe(400)
  const xml = { headers: { 'content-type': 'application/xml' }, bytes: Buffer.from('<a/>') }
  expect((await call('POST', '/v2/images', xml)).status).toBe(415)
})

test('The id of any resource of anybody is taken', async () => {
  const { call, create, client } = await startGlance()
  const { id } = await create({ visibility: 'private' })
  expect((await call('POST', '/v2/images', { as: 'p2:member', body: { id } })).status).toBe(409)
  expect((await call('POST', '/v2/images', { body: { id: id.toUpperCase() } })).status).toBe(409)
  expect(client).toBeDefined()
})

test('A reader creates nothing, and nobody is told nothing', async () => {
  const { call } = await startGlance()
  expect((await call('POST', '/v2/images', { as: 'p1:reader', body: {} })).status).toBe(403)
  expect((await call('GET', '/v2/images', { as: 'p1:stranger' })).status).toBe(401)
})

test('An administrator makes public images, also for another project', async () => {
  const { create, show } = await startGlance()
  const { id } = await create({ visibility: 'public', owner: 'p2' }, 'admins:admin')
  expect(await show(id, 'p3:reader')).toMatchObject({ owner: 'p2', visibility: 'public' })
})

test('A fault is JSON for clients that ask for JSON', async () => {
  const { call } = await startGlance()
  const path = `/v2/images/${randomUUID()}`
  const answer = await call('GET', path, { headers: { accept: 'application/json' } })
  expect(answer.body).toEqual({
    message: expect.stringContaining('No image found with ID'),
    code: '404 Not Found',
    title: 'Not Found',
  })
  expect((await call('GET', '/v2/images/debian')).status).toBe(404)
  expect((await call('GET', '/v2/nothing')).status).toBe(404)
  expect((await call('PUT', '/v2/images')).status).toBe(405)
})
