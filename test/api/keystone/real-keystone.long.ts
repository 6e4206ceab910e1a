import { expect, test } from 'vitest'
import { keystoneAuthentication } from '../../../api/identity/real-keystone.ts'
import { IDENTITY_LIMITS } from '../../../domain/identity-limits.ts'
import { MiB } from '../../../domain/sizes.ts'
import { keystone } from '../../../scripts/setup/keystone.ts'
import { VolflowClient } from '../../../sdk/client.ts'
import { KeystoneLogIn } from '../../../sdk/keystone.ts'
import { startApi } from '../start-api.ts'
import { startRealKeystone } from './real-keystone.ts'

const isRoot = process.getuid?.() === 0

test.skipIf(!keystone.isPresent() || !isRoot)(
  'A Keystone elsewhere knows the callers: it is asked once a minute, and its word counts',
  { timeout: 300_000 },
  async () => {
    const real = await startRealKeystone()
    const credentials = {
      authUrl: real.url,
      username: 'admin',
      password: real.password,
      projectName: 'admin',
    }
    const service = new KeystoneLogIn(credentials)
    const token = await service.token()
    const admin = await identityOf(real.url, token)
    await admin.user('ann', 'member')
    await admin.user('rob', 'reader')

    let nowMs = Date.now()
    const authentication = keystoneAuthentication({ url: real.url, tokens: service, now: () => nowMs })
    const { url } = await startApi({ authentication, identityUrl: real.url })
    const clientOf = (username: string) => {
      const logIn = new KeystoneLogIn({
        ...credentials,
        username,
        password: `of ${username}`,
        projectName: 'lab',
      })
      return { logIn, client: new VolflowClient({ baseUrl: url, tokens: logIn }) }
    }
    const ann = clientOf('ann')
    const rob = clientOf('rob')
    const { volume } = await ann.client.createVolume({ sizeBytes: MiB })
    expect(volume?.projectId).toBe(admin.projectId)
    expect((await rob.client.listVolumes()).items).toHaveLength(1)
    await expect(rob.client.createVolume({ sizeBytes: MiB })).rejects.toMatchObject({ status: 403 })
    const stranger = await fetch(`${url}/operations/v1/volumes`, { headers: { 'x-auth-token': 'made up' } })
    expect(stranger.status).toBe(401)
    expect(stranger.headers.get('www-authenticate')).toBe(`Keystone uri="${real.url}"`)

    const annToken = await ann.logIn.token()
    const list = (given: string) =>
      fetch(`${url}/operations/v1/volumes`, { headers: { 'x-auth-token': given } })
    await fetch(`${real.url}/auth/tokens`, {
      method: 'DELETE',
      headers: { 'x-auth-token': token, 'x-subject-token': annToken },
    })
    // Remembered, and then no more.
    expect((await list(annToken)).status).toBe(200)
    nowMs += IDENTITY_LIMITS.validationCacheMs + 1
    expect((await list(annToken)).status).toBe(401)

    const robToken = await rob.logIn.token()
    expect((await list(robToken)).status).toBe(200)
    real.stop()
    expect((await list(robToken)).status).toBe(200)
    expect((await list('unknown')).status).toBe(503)
  },
)

/** What an administrator of a real Keystone does first: a project, and users with roles in it. */
async function identityOf(keystoneUrl: string, token: string) {
  const ask = async (method: string, path: string, body?: object) => {
    const headers = { 'x-auth-token': token, 'content-type': 'application/json' }
    const init = body === undefined ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${keystoneUrl}${path}`, { method, headers, ...init })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? {} : JSON.parse(text)
  }
  const { project } = await ask('POST', '/projects', { project: { name: 'lab', domain_id: 'default' } })
  const { roles } = await ask('GET', '/roles')
  return {
    projectId: project.id as string,
    user: async (name: string, role: string) => {
      const fields = { name, password: `of ${name}`, domain_id: 'default' }
      const { user } = await ask('POST', '/users', { user: fields })
      const { id } = roles.find((candidate: { name: string }) => candidate.name === role)
      await ask('PUT', `/projects/${project.id}/users/${user.id}/roles/${id}`)
    },
  }
}
