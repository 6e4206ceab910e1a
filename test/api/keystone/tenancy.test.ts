import { expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import { addMember, startKeystone } from './start-keystone.ts'

const API = '/operations/v1'
const USERS = '/identity/v3/users'

test('A project neither sees nor touches what another one has, and an administrator does both', async () => {
  const keystone = await startKeystone()
  const { ask, logIn, url } = keystone
  const admin = await logIn()
  const ours = await addMember(keystone, admin, { name: 'ours' })
  const theirs = await addMember(keystone, admin, { name: 'theirs' })
  const us = await logIn({
    name: 'ours',
    password: ours.password,
    scope: { project: { id: ours.projectId } },
  })
  const them = await logIn({
    ...{ name: 'theirs', password: theirs.password },
    scope: { project: { id: theirs.projectId } },
  })
  const made = await ask('POST', `${API}/volumes`, { token: us, body: { sizeBytes: MiB } })
  expect(made.body.volume).toMatchObject({ projectId: ours.projectId, userId: ours.userId })
  const path = `${API}/volumes/${made.body.volume.id}`
  expect((await ask('GET', path, { token: us })).status).toBe(200)
  for (const [method, where, body] of [
    ['GET', path],
    ['DELETE', path],
    ['POST', `${path}/extend`, { sizeBytes: 2 * MiB }],
    ['GET', `${path}/attachments`],
    ['GET', `${API}/operations/${made.body.operation.id}`],
    ['POST', `${API}/operations/${made.body.operation.id}/cancel`],
    ['PATCH', `${API}/operations/${made.body.operation.id}`, { paused: true }],
  ] as const) {
    const answer = await ask(method, where, { token: them, ...(body !== undefined && { body }) })
    expect([method, where, answer.status]).toEqual([method, where, 404])
  }
  const inOurs = (token: string) =>
    fetch(`${url}${path}`, { headers: { 'x-auth-token': token, 'x-project-id': ours.projectId } })
  expect((await inOurs(them)).status).toBe(403)
  expect((await inOurs(admin)).status).toBe(200)
})

test('A reader reads its project and changes nothing', async () => {
  const keystone = await startKeystone()
  const { ask, logIn } = keystone
  const reader = await addMember(keystone, await logIn(), { name: 'reader', role: 'reader' })
  const token = await logIn({
    ...{ name: 'reader', password: reader.password },
    scope: { project: { id: reader.projectId } },
  })
  expect((await ask('GET', `${API}/volumes`, { token })).status).toBe(200)
  const refused = await ask('POST', `${API}/volumes`, { token, body: { sizeBytes: MiB } })
  expect([refused.status, refused.body.error.code]).toEqual([403, 'forbidden'])
})

test('A token without a project, and no token, open nothing', async () => {
  const { ask, logIn } = await startKeystone()
  expect((await ask('GET', `${API}/volumes`)).status).toBe(401)
  const token = await logIn({ scope: 'unscoped' })
  expect((await ask('GET', `${API}/volumes`, { token })).status).toBe(403)
})

test('Only administrators administrate, and everybody finds out about himself', async () => {
  const keystone = await startKeystone()
  const { ask, logIn } = keystone
  const admin = await logIn()
  const { userId, projectId, password } = await addMember(keystone, admin, { name: 'ann' })
  const other = await addMember(keystone, admin, { name: 'bob' })
  const token = await logIn({ name: 'ann', password, scope: { project: { id: projectId } } })
  for (const [method, path, body] of [
    ['GET', '/users'],
    ['GET', '/projects'],
    ['GET', '/roles'],
    ['GET', '/role_assignments'],
    ['GET', `/users/${other.userId}`],
    ['GET', `/projects/${other.projectId}`],
    ['POST', '/projects', { project: { name: 'more' } }],
    ['POST', '/users', { user: { name: 'more', password: 'long enough' } }],
    ['POST', '/roles', { role: { name: 'root' } }],
    ['PATCH', `/users/${userId}`, { user: { name: 'admin2' } }],
    ['DELETE', `/users/${other.userId}`],
    ['POST', `/users/${other.userId}/password`, { user: { original_password: '', password: 'long enough' } }],
    ['GET', `/users/${other.userId}/application_credentials`],
  ] as const) {
    const answer = await ask(method, `/identity/v3${path}`, { token, ...(body !== undefined && { body }) })
    expect([method, path, answer.status]).toEqual([method, path, 403])
  }
  const roles = await ask('GET', '/identity/v3/roles?name=admin', { token: admin })
  const path = `/identity/v3/projects/${projectId}/users/${userId}/roles/${roles.body.roles[0].id}`
  expect((await ask('PUT', path, { token })).status).toBe(403)
  expect((await ask('GET', `${USERS}/${userId}`, { token })).body.user.name).toBe('ann')
  const projects = await ask('GET', '/identity/v3/auth/projects', { token })
  expect(projects.body.projects.map(({ id }: { id: string }) => id)).toEqual([projectId])
})

test('A user changes the password with the old one, and all its tokens end', async () => {
  const keystone = await startKeystone()
  const { ask, logIn } = keystone
  const { userId, projectId, password } = await addMember(keystone, await logIn(), { name: 'ann' })
  const scope = { project: { id: projectId } }
  const token = await logIn({ name: 'ann', password, scope })
  const change = (original: string, next: string) =>
    ask('POST', `${USERS}/${userId}/password`, {
      token,
      body: { user: { original_password: original, password: next } },
    })
  expect((await change('wrong', 'a new password')).status).toBe(401)
  expect((await change(password, 'short')).status).toBe(400)
  expect((await change(password, 'a new password')).status).toBe(204)
  expect((await ask('GET', `${API}/volumes`, { token })).status).toBe(401)
  expect(await logIn({ name: 'ann', password: 'a new password', scope })).toMatch(/^[\da-f]{64}$/)
})

test('An application credential works in its project with its roles, cannot make others, and ends', async () => {
  const keystone = await startKeystone()
  const { ask, logIn } = keystone
  const { userId, projectId, password } = await addMember(keystone, await logIn(), { name: 'ann' })
  const token = await logIn({ name: 'ann', password, scope: { project: { id: projectId } } })
  const path = `${USERS}/${userId}/application_credentials`
  const body = { application_credential: { name: 'robot', roles: [{ name: 'reader' }] } }
  const made = await ask('POST', path, { token, body })
  expect(made.status).toBe(201)
  const { id, secret } = made.body.application_credential
  expect((await ask('POST', path, { token, body })).status).toBe(409)
  const shown = await ask('GET', path, { token })
  expect(shown.body.application_credentials).toMatchObject([{ id, name: 'robot', project_id: projectId }])
  expect(JSON.stringify(shown.body)).not.toContain(secret)
  const identity = { methods: ['application_credential'], application_credential: { id, secret } }
  const answer = await ask('POST', '/identity/v3/auth/tokens', { body: { auth: { identity } } })
  const robot = answer.headers.get('x-subject-token') ?? ''
  expect(answer.body.token.project.id).toBe(projectId)
  expect((await ask('GET', `${API}/volumes`, { token: robot })).status).toBe(200)
  expect((await ask('POST', `${API}/volumes`, { token: robot, body: { sizeBytes: MiB } })).status).toBe(403)
  expect((await ask('POST', path, { token: robot, body })).status).toBe(403)
  expect((await ask('DELETE', `${path}/${id}`, { token })).status).toBe(204)
  expect((await ask('GET', `${API}/volumes`, { token: robot })).status).toBe(401)
})

test('A name is used once in its domain, and a domain is deleted only when it is disabled', async () => {
  const { ask, logIn } = await startKeystone()
  const token = await logIn()
  const create = (type: string, body: object) =>
    ask('POST', `/identity/v3/${type}s`, { token, body: { [type]: body } })
  const domain = (await create('domain', { name: 'lab' })).body.domain
  expect((await create('project', { name: 'p', domain_id: domain.id })).status).toBe(201)
  expect((await create('project', { name: 'p', domain_id: domain.id })).status).toBe(409)
  expect((await create('project', { name: 'p' })).status).toBe(201)
  expect((await create('project', { name: 'q', domain_id: 'nowhere' })).status).toBe(404)
  expect((await create('user', { name: 'u', password: 'short' })).status).toBe(400)
  expect((await create('role', { name: 'admin' })).status).toBe(409)
  const path = `/identity/v3/domains/${domain.id}`
  expect((await ask('DELETE', path, { token })).status).toBe(403)
  expect((await ask('PATCH', path, { token, body: { domain: { enabled: false } } })).status).toBe(200)
  expect((await ask('DELETE', path, { token })).status).toBe(204)
  const left = await ask('GET', '/identity/v3/projects?name=p', { token })
  expect(left.body.projects.map(({ domain_id: id }: { domain_id: string }) => id)).toEqual(['default'])
})
