import { expect, test } from 'vitest'
import { addMember, ADMIN, passwordLogIn, startKeystone } from './start-keystone.ts'

const TOKENS = '/identity/v3/auth/tokens'

test('The documents of versions are public, and point at themselves', async () => {
  const { ask, url } = await startKeystone()
  const root = await ask('GET', '/identity')
  const self = { rel: 'self', href: `${url}/identity/v3/` }
  expect([root.status, root.body.versions.values[0].links]).toEqual([300, [self]])
  for (const path of ['/identity/v3', '/identity/v3/']) {
    const { status, body } = await ask('GET', path)
    expect([status, body.version.id, body.version.links]).toEqual([200, 'v3.14', [self]])
  }
})

test('A password gives a token with user, project, roles and a catalog for every client', async () => {
  const { ask, url } = await startKeystone()
  const { status, headers, body } = await ask('POST', TOKENS, { body: passwordLogIn() })
  expect(status).toBe(201)
  expect(headers.get('x-subject-token')).toMatch(/^[\da-f]{64}$/)
  const { token } = body
  expect(token).toMatchObject({
    methods: ['password'],
    user: { name: 'admin', domain: { id: 'default', name: 'Default' } },
    project: { id: 'default', name: 'admin', domain: { id: 'default' } },
  })
  expect(token.expires_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/)
  expect(token.roles.map(({ name }: { name: string }) => name).toSorted()).toEqual([
    'admin',
    'member',
    'reader',
  ])
  const urls = token.catalog.map(({ type, endpoints }: { type: string; endpoints: { url: string }[] }) => [
    type,
    endpoints[0]?.url,
  ])
  expect(Object.fromEntries(urls)).toEqual({
    identity: `${url}/identity`,
    image: `${url}/image`,
    'block-storage': `${url}/volume/v3/default`,
    volumev3: `${url}/volume/v3/default`,
    'block-store': `${url}/volume/v3/default`,
  })
  const bare = await ask('POST', `${TOKENS}?nocatalog`, { body: passwordLogIn() })
  expect(bare.body.token.catalog).toBeUndefined()
})

test('A token is validated, gives another one for another scope, and is nothing after its revocation', async () => {
  const { ask, logIn } = await startKeystone()
  const first = await logIn({ scope: 'unscoped' })
  expect((await ask('GET', TOKENS, { token: first })).body.token.project).toBeUndefined()
  const identity = { methods: ['token'], token: { id: first } }
  const scope = { project: { id: 'default' } }
  const second = await ask('POST', TOKENS, { body: { auth: { identity, scope } } })
  expect(second.body.token.methods.toSorted()).toEqual(['password', 'token'])
  expect((await ask('HEAD', TOKENS, { token: first })).status).toBe(200)
  expect((await ask('DELETE', TOKENS, { token: first })).status).toBe(204)
  expect((await ask('GET', TOKENS, { token: first })).status).toBe(401)
  expect((await ask('POST', TOKENS, { body: { auth: { identity, scope } } })).status).toBe(401)
})

test.for<[string, object]>([
  ['a wrong password', passwordLogIn({ password: 'guess' })],
  ['an unknown user', passwordLogIn({ name: 'nobody' })],
  ['an unknown project', passwordLogIn({ scope: { project: { id: 'nowhere' } } })],
  ['an unknown domain', passwordLogIn({ scope: { domain: { name: 'nowhere' } } })],
  ['a made-up token', { auth: { identity: { methods: ['token'], token: { id: 'x' } } } }],
  ['an unknown method', { auth: { identity: { methods: ['totp'] } } }],
  [
    'an unknown application credential',
    {
      auth: {
        identity: { methods: ['application_credential'], application_credential: { id: 'x', secret: 'y' } },
      },
    },
  ],
])('A log-in with %s is refused like any other', async ([, body]) => {
  const { ask } = await startKeystone()
  const answer = await ask('POST', TOKENS, { body })
  expect(answer.status).toBe(401)
  expect(answer.headers.get('www-authenticate')).toMatch(/^Keystone uri="/)
  expect(answer.body).toEqual({
    error: {
      code: 401,
      message: 'The request you have made requires authentication.',
      title: 'Unauthorized',
    },
  })
})

test.for<unknown>([{}, { auth: {} }, { auth: { identity: { methods: [] } } }, 'text', 1])(
  'The log-in %j is answered with what was expected',
  async (body) => {
    const { ask } = await startKeystone()
    const answer = await ask('POST', TOKENS, { body })
    expect([answer.status, answer.body.error.title]).toEqual([400, 'Bad Request'])
    expect(answer.body.error.message).toMatch(/^Expected /)
  },
)

test('Passwords and tokens are kept as hashes alone', async () => {
  const { database, logIn } = await startKeystone()
  const token = await logIn()
  const rows = [
    await database.selectFrom('identityUsers').selectAll().execute(),
    await database.selectFrom('identityTokens').selectAll().execute(),
  ]
  const text = JSON.stringify(rows)
  expect(text).toContain('scrypt$16384$8$5$')
  expect(text).not.toContain(token)
  expect(text).not.toContain(ADMIN.password)
})

test('Guessing is stopped: after five wrong passwords the right one is refused too, for a while', async () => {
  const { ask, database, logIn } = await startKeystone()
  for (let count = 0; count < 5; count += 1)
    expect(await logIn({ password: `guess ${count}` }).catch(() => 'refused')).toBe('refused')
  expect((await ask('POST', TOKENS, { body: passwordLogIn() })).status).toBe(401)
  const [row] = await database.selectFrom('identityGuesses').selectAll().execute()
  expect(row?.failures).toBe(5)
  // The lock runs out.
  await database
    .updateTable('identityGuesses')
    .set({ lockedUntilMs: Date.now() - 1 })
    .execute()
  expect(await logIn()).toMatch(/^[\da-f]{64}$/)
  expect(await database.selectFrom('identityGuesses').selectAll().execute()).toEqual([])
})

test('What an administrator takes away is gone at once', async () => {
  const keystone = await startKeystone()
  const { ask, logIn } = keystone
  const admin = await logIn()
  const changes: [string, (ids: { userId: string; projectId: string }) => [string, string, unknown?]][] = [
    ['user', ({ userId }) => ['PATCH', `/users/${userId}`, { user: { enabled: false } }]],
    ['gone', ({ userId }) => ['DELETE', `/users/${userId}`]],
    ['renewed', ({ userId }) => ['PATCH', `/users/${userId}`, { user: { password: 'another one' } }]],
    ['project', ({ projectId }) => ['PATCH', `/projects/${projectId}`, { project: { enabled: false } }]],
    ['razed', ({ projectId }) => ['DELETE', `/projects/${projectId}`]],
  ]
  for (const [name, change] of changes) {
    const { password, ...ids } = await addMember(keystone, admin, { name })
    const token = await logIn({ name, password, scope: { project: { id: ids.projectId } } })
    expect((await ask('GET', '/operations/v1/volumes', { token })).status).toBe(200)
    const [method, path, body] = change(ids)
    const answer = await ask(method, `/identity/v3${path}`, {
      token: admin,
      ...(body !== undefined && { body }),
    })
    expect([name, answer.status]).toEqual([name, method === 'DELETE' ? 204 : 200])
    expect((await ask('GET', '/operations/v1/volumes', { token })).status).toBe(401)
  }
})
