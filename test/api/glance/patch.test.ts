import { expect, test } from 'vitest'
import { KiB } from '../../../domain/sizes.ts'
import { PATCH, startGlance, type TestGlance } from './start-glance.ts'

test('Fields and properties are added, replaced and removed, and the answer is the image', async () => {
  const { create, call, show } = await startGlance()
  const { id } = await create({ name: 'before', os_type: 'linux', keep: 'me' })
  const patch = await call('PATCH', `/v2/images/${id}`, {
    headers: PATCH,
    body: [
      { op: 'replace', path: '/name', value: 'after' },
      { op: 'add', path: '/visibility', value: 'private' },
      { op: 'add', path: '/hw~1disk~0bus', value: 'scsi' },
      { op: 'replace', path: '/os_type', value: 'bsd' },
      { op: 'add', path: '/gone', value: 'x' },
      { op: 'remove', path: '/gone' },
      { op: 'replace', path: '/tags', value: ['b', 'a'] },
      { op: 'replace', path: '/protected', value: true },
      { op: 'replace', path: '/os_hidden', value: true },
      { op: 'replace', path: '/min_disk', value: 2 },
      { op: 'replace', path: '/disk_format', value: 'qcow2' },
    ],
  })
  expect(patch.status).toBe(200)
  expect(patch.body).toMatchObject({
    ...{ id, name: 'after', visibility: 'private', os_type: 'bsd', keep: 'me', tags: ['a', 'b'] },
    ...{ 'hw/disk~bus': 'scsi', protected: true, os_hidden: true, min_disk: 2, disk_format: 'qcow2' },
  })
  expect(patch.body.gone).toBeUndefined()
  expect(await show(id)).toEqual(patch.body)
})

test('The older form of a patch does the same', async () => {
  const { create, call } = await startGlance()
  const { id } = await create({ name: 'before', old: 'x' })
  const patch = await call('PATCH', `/v2/images/${id}`, {
    headers: { 'content-type': 'application/openstack-images-v2.0-json-patch' },
    body: [{ replace: '/name', value: 'after' }, { add: '/new', value: 'y' }, { remove: '/old' }],
  })
  expect(patch.body).toMatchObject({ name: 'after', new: 'y' })
  expect(patch.body.old).toBeUndefined()
})

test.for<[string, unknown, number]>([
  ['to a property that is not there', [{ op: 'replace', path: '/nothing', value: 'x' }], 409],
  ['that removes what is not there', [{ op: 'remove', path: '/nothing' }], 409],
  ['that removes a field', [{ op: 'remove', path: '/name' }], 403],
  ['of the status', [{ op: 'replace', path: '/status', value: 'active' }], 403],
  ['of the id', [{ op: 'replace', path: '/id', value: 'x' }], 403],
  ['of what is reserved', [{ op: 'add', path: '/os_glance_x', value: 'x' }], 403],
  ['of locations', [{ op: 'add', path: '/locations/-', value: { url: 'file:///etc/passwd' } }], 403],
  ['to public, by a member', [{ op: 'replace', path: '/visibility', value: 'public' }], 403],
  ['to another owner, by a member', [{ op: 'replace', path: '/owner', value: 'p2' }], 403],
  ['to a wrong value', [{ op: 'replace', path: '/min_disk', value: 'big' }], 400],
  ['to a property that is no text', [{ op: 'add', path: '/x', value: 1 }], 400],
  ['without a value', [{ op: 'replace', path: '/name' }], 400],
  ['with another operation', [{ op: 'move', from: '/name', path: '/x' }], 400],
  ['into depth', [{ op: 'add', path: '/tags/0', value: 'x' }], 400],
  ['without a slash', [{ op: 'add', path: 'name', value: 'x' }], 400],
  ['that is no list', { name: 'x' }, 400],
  ['that holds no operation', ['x'], 400],
])('A patch %s is refused whole', async ([, operations, status]) => {
  const { create, call, show } = await startGlance()
  const { id } = await create({ name: 'before' })
  const body = Array.isArray(operations)
    ? [{ op: 'replace', path: '/name', value: 'after' }, ...operations]
    : operations
  const answer = await call('PATCH', `/v2/images/${id}`, { headers: PATCH, body })
  expect([answer.status, (await show(id)).name]).toEqual([status, 'before'])
})

test('A patch of another type is refused', async () => {
  const { create, call } = await startGlance()
  const { id } = await create()
  for (const type of ['application/json', 'application/json-patch+json', 'application/octet-stream']) {
    const answer = await call('PATCH', `/v2/images/${id}`, { headers: { 'content-type': type }, body: [] })
    expect(answer.status).toBe(415)
  }
})

test('The formats of bytes that are there stay', async () => {
  const { create, call, upload } = await startGlance()
  const { id } = await create()
  await upload(id, Buffer.alloc(KiB))
  const patch = (path: string, value: unknown) =>
    call('PATCH', `/v2/images/${id}`, { headers: PATCH, body: [{ op: 'replace', path, value }] })
  expect((await patch('/disk_format', 'qcow2')).status).toBe(403)
  expect((await patch('/disk_format', 'raw')).status).toBe(200)
})

test('Who sees an image of another may not change it, who does not see it hears nothing, and an administrator may', async () => {
  const api = await startGlance()
  const seen = await api.create({ visibility: 'community' })
  const hidden = await api.create({ visibility: 'private' })
  expect(await rename(api, seen.id, 'p2:member')).toBe(403)
  expect(await rename(api, hidden.id, 'p2:member')).toBe(404)
  expect(await rename(api, hidden.id, 'p1:reader')).toBe(403)
  expect(await rename(api, hidden.id, 'admins:admin')).toBe(200)
})

async function rename({ call }: TestGlance, id: string, as: string): Promise<number> {
  const body = [{ op: 'replace', path: '/name', value: 'mine' }]
  return (await call('PATCH', `/v2/images/${id}`, { headers: PATCH, body, as })).status
}

test('A protected image is not deleted until it is not', async () => {
  const { create, call } = await startGlance()
  const { id } = await create({ protected: true })
  expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(403)
  const body = [{ op: 'replace', path: '/protected', value: false }]
  expect((await call('PATCH', `/v2/images/${id}`, { headers: PATCH, body })).status).toBe(200)
  expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(204)
  expect((await call('GET', `/v2/images/${id}`)).status).toBe(404)
  expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(404)
})

test('An image that is being deleted is gone for everybody at once', async () => {
  const { create, call, database } = await startGlance({ idle: true })
  const { id } = await create({ visibility: 'community' })
  expect((await call('DELETE', `/v2/images/${id}`, { as: 'p2:member' })).status).toBe(403)
  const answer = await call('DELETE', `/v2/images/${id}`)
  expect([answer.status, answer.headers.get('operation-id')]).toEqual([204, expect.any(String)])
  const row = await database.selectFrom('images').select('status').executeTakeFirstOrThrow()
  expect(row.status).toBe('pending_delete')
  expect((await call('GET', `/v2/images/${id}`)).status).toBe(404)
  expect((await call('GET', '/v2/images')).body.images).toEqual([])
})
