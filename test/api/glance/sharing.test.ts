import { expect, test } from 'vitest'
import { KiB } from '../../../domain/sizes.ts'
import { startGlance } from './start-glance.ts'

test('A shared image is offered, accepted, seen, used and taken back', async () => {
  const { create, call } = await startGlance()
  const { id } = await create()
  const members = `/v2/images/${id}/members`
  expect((await call('GET', `/v2/images/${id}`, { as: 'p2:member' })).status).toBe(404)
  const offered = await call('POST', members, { body: { member: 'p2' } })
  expect([offered.status, offered.body]).toEqual([
    200,
    {
      image_id: id,
      member_id: 'p2',
      status: 'pending',
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
      schema: '/v2/schemas/member',
    },
  ])
  expect((await call('GET', `/v2/images/${id}`, { as: 'p2:reader' })).status).toBe(200)
  const accept = await call('PUT', `${members}/p2`, { as: 'p2:member', body: { status: 'accepted' } })
  expect([accept.status, accept.body.status]).toEqual([200, 'accepted'])
  expect((await call('GET', `${members}/p2`)).body.status).toBe('accepted')
  await call('POST', members, { body: { member: 'p3' } })
  const seenBy = async (as: string) =>
    (await call('GET', members, { as })).body.members.map((one: { member_id: string }) => one.member_id)
  expect(await seenBy('p1:member')).toEqual(['p2', 'p3'])
  expect(await seenBy('p2:member')).toEqual(['p2'])
  expect(await seenBy('admins:admin')).toEqual(['p2', 'p3'])
  expect((await call('DELETE', `${members}/p2`)).status).toBe(204)
  expect((await call('GET', `/v2/images/${id}`, { as: 'p2:member' })).status).toBe(404)
})

test.for<[string, string, string, string, unknown, number]>([
  ['add a member that is one', 'POST', '', 'p1:member', { member: 'p2' }, 409],
  ['add nobody', 'POST', '', 'p1:member', {}, 400],
  ['add what can be no project', 'POST', '', 'p1:member', { member: '../p2' }, 400],
  ['add a member to the image of another', 'POST', '', 'p2:member', { member: 'p3' }, 403],
  ['add a member as a reader', 'POST', '', 'p1:reader', { member: 'p3' }, 403],
  ['add a member to what is not seen', 'POST', '', 'p3:member', { member: 'p3' }, 404],
  ['show a member that is none', 'GET', '/p3', 'p1:member', undefined, 404],
  ['show another member', 'GET', '/p9', 'p2:member', undefined, 404],
  ['answer in the place of the member', 'PUT', '/p2', 'p1:member', { status: 'accepted' }, 403],
  ['answer for a member that is none', 'PUT', '/p3', 'p1:member', { status: 'accepted' }, 404],
  ['answer something else', 'PUT', '/p2', 'p2:member', { status: 'perhaps' }, 400],
  ['answer as an administrator', 'PUT', '/p2', 'admins:admin', { status: 'rejected' }, 200],
  ['remove itself', 'DELETE', '/p2', 'p2:member', undefined, 403],
  ['remove a member that is none', 'DELETE', '/p3', 'p1:member', undefined, 404],
])('To %s is answered rightly', async ([, method, path, as, body, status]) => {
  const { create, call } = await startGlance()
  const { id } = await create()
  await call('POST', `/v2/images/${id}/members`, { body: { member: 'p2' } })
  const answer = await call(method, `/v2/images/${id}/members${path}`, {
    as,
    ...(body === undefined ? {} : { body }),
  })
  expect(answer.status).toBe(status)
})

test('Only shared images have members, and no more than 128', async () => {
  const { create, call, database } = await startGlance()
  const { id } = await create({ visibility: 'private' })
  const members = `/v2/images/${id}/members`
  expect((await call('GET', members)).status).toBe(403)
  expect((await call('POST', members, { body: { member: 'p2' } })).status).toBe(403)
  const { id: shared } = await create()
  const now = new Date().toISOString()
  await database
    .insertInto('imageMembers')
    .values(
      Array.from({ length: 128 }, (_, index) => ({
        imageId: shared,
        memberId: `m${index}`,
        status: 'pending' as const,
        createdAt: now,
        updatedAt: now,
      })),
    )
    .execute()
  expect((await call('POST', `/v2/images/${shared}/members`, { body: { member: 'p2' } })).status).toBe(413)
})

test('Tags come and go one by one', async () => {
  const { create, call, show, database } = await startGlance()
  const { id } = await create({ tags: ['a'] })
  const tag = (method: string, name: string, as = 'p1:member') =>
    call(method, `/v2/images/${id}/tags/${encodeURIComponent(name)}`, { as })
  expect((await tag('PUT', 'b c/ü')).status).toBe(204)
  expect((await tag('PUT', 'b c/ü')).status).toBe(204)
  expect((await show(id)).tags).toEqual(['a', 'b c/ü'])
  expect((await tag('DELETE', 'a')).status).toBe(204)
  expect((await tag('DELETE', 'a')).status).toBe(404)
  expect((await tag('PUT', 'x\u0007')).status).toBe(400)
  expect((await tag('PUT', 'x', 'p2:member')).status).toBe(404)
  expect((await tag('PUT', 'x', 'p1:reader')).status).toBe(403)
  await database
    .insertInto('imageTags')
    .values(Array.from({ length: 127 }, (_, index) => ({ imageId: id, tag: `t${index}` })))
    .execute()
  expect((await tag('PUT', 'one too many')).status).toBe(413)
})

test('A deactivated image is not downloaded, but by an administrator, until it is reactivated', async () => {
  const { create, call, upload, show } = await startGlance()
  const { id } = await create({ visibility: 'community' })
  const act = (what: string, as = 'p1:member') => call('POST', `/v2/images/${id}/actions/${what}`, { as })
  const download = async (as: string) => (await call('GET', `/v2/images/${id}/file`, { as })).status
  expect((await act('deactivate')).status).toBe(403)
  await upload(id, Buffer.alloc(KiB))
  expect((await act('deactivate', 'p2:member')).status).toBe(403)
  expect((await act('deactivate')).status).toBe(204)
  expect((await act('deactivate')).status).toBe(204)
  expect((await show(id)).status).toBe('deactivated')
  expect([await download('p1:member'), await download('admins:admin')]).toEqual([403, 200])
  expect((await act('reactivate')).status).toBe(204)
  expect((await act('reactivate')).status).toBe(204)
  expect(await download('p2:member')).toBe(200)
  expect((await act('explode')).status).toBe(404)
})

test('Volumes are made from images that the project may see, and from no others', async () => {
  const { create, upload, call, client, url } = await startGlance()
  const { id } = await create()
  await upload(id, Buffer.alloc(KiB))
  const make = async () =>
    (
      await fetch(`${url}/operations/v1/volumes`, {
        method: 'POST',
        headers: { 'x-test-caller': 'p2:member', 'content-type': 'application/json' },
        body: JSON.stringify({ imageId: id }),
      })
    ).status
  expect(await make()).toBe(404)
  await call('POST', `/v2/images/${id}/members`, { body: { member: 'p2' } })
  expect(await make()).toBe(202)
  expect((await call('DELETE', `/v2/images/${id}`)).status).toBe(409)
  expect(client).toBeDefined()
})
