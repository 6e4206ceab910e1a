import { expect, test } from 'vitest'
import type { Caller } from '../../api/identity/caller.ts'
import { MiB } from '../../domain/sizes.ts'
import { startApi, type TestApi } from './start-api.ts'

const VOLUMES = '/operations/v1/volumes'

test.for<[Record<string, string>, string, string]>([
  [{}, 'default', 'local'],
  [{ 'x-project-id': 'p1', 'x-user-id': 'u1' }, 'p1', 'u1'],
  [{ 'x-auth-token': 'ann:store' }, 'store', 'ann'],
  [{ 'x-auth-token': 'ann%3Astore' }, 'store', 'ann'],
  [{ 'x-auth-token': 'ann:store', 'x-project-id': 'other' }, 'other', 'ann'],
  [{ 'x-auth-token': 'notused' }, 'default', 'local'],
])('Without authentication, %j is project %s and user %s', async ([headers, projectId, userId]) => {
  const { app } = await startApi()
  const answer = await app.inject({ method: 'POST', url: VOLUMES, headers, payload: { sizeBytes: MiB } })
  expect(answer.json().volume).toMatchObject({ projectId, userId })
})

test.for(['a/b:c', 'a:../c', 'a:b:c', ':b', 'a:'])(
  'Without authentication, the token %s is refused',
  async (token) => {
    const { app } = await startApi()
    const answer = await app.inject({ url: VOLUMES, headers: { 'x-auth-token': token } })
    expect(answer.statusCode).toBe(400)
    expect(answer.json().error.code).toBe('invalidHeader')
  },
)

test.for(['/operations/v1/volumes', '/operations/v1/nothing', '/volume/v3/volumes', '/image/v2/images'])(
  'A caller that nobody knows gets 401 at %s, and is told where Keystone is',
  async (url) => {
    const { app } = await startApi({ authentication: { callerOf: async () => undefined } })
    const answer = await app.inject({ url, headers: { host: 'localhost:8780' } })
    expect(answer.statusCode).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Keystone uri="http://localhost:8780/identity"')
    // Each dialect has its own form of a fault.
    expect(answer.body).toMatch(/requires authentication|unauthorized/i)
  },
)

test('What says that the service lives needs no caller', async () => {
  const { app } = await startApi({ authentication: { callerOf: async () => undefined } })
  for (const url of ['/healthz', '/readyz', '/docs', '/docs/openapi.json'])
    expect((await app.inject({ url })).statusCode).toBe(200)
})

test('A reader reads and changes nothing; a member changes what is its own, and not what is everybody’s', async () => {
  const reader = await startAs({ roles: ['reader'], isAdmin: false, readOnly: true })
  expect((await reader.app.inject({ url: VOLUMES })).statusCode).toBe(200)
  const refused = await reader.app.inject({ method: 'POST', url: VOLUMES, payload: { sizeBytes: MiB } })
  expect([refused.statusCode, refused.json().error.code]).toEqual([403, 'forbidden'])
  const member = await startAs({ roles: ['member'], isAdmin: false, readOnly: false })
  const created = await member.app.inject({ method: 'POST', url: VOLUMES, payload: { sizeBytes: MiB } })
  expect(created.statusCode).toBe(202)
  for (const [method, url, payload] of [
    ['PATCH', '/backends/local', { paused: true }],
    ['POST', '/targets/disk/collect', {}],
    ['POST', '/targets/disk/import', undefined],
    ['POST', '/targets/cinder/scan', {}],
  ] as const) {
    const answer = await member.app.inject({
      method,
      url: `/operations/v1${url}`,
      ...(payload && { payload }),
    })
    expect([url, answer.statusCode]).toEqual([url, 403])
  }
})

function startAs(rights: Pick<Caller, 'roles' | 'isAdmin' | 'readOnly'>): Promise<TestApi> {
  const caller: Caller = { userId: 'u', projectId: 'p', authType: 'token', ...rights }
  return startApi({ authentication: { callerOf: async () => caller } })
}
