import { bootstrapIdentity } from '../../../database/identity/bootstrap.ts'
import { ownAuthentication } from '../../../api/identity/own.ts'
import { openDatabase } from '../../../database/open.ts'
import { temporaryDatabasePlace } from '../../support/temporary-database.ts'
import { onTestFinished } from 'vitest'
import { startApi, type TestApi } from '../start-api.ts'

export const ADMIN = { name: 'admin', password: 'correct horse battery' }

export interface Answer {
  readonly status: number
  readonly headers: Headers
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of an API that is tested by what is in them
  readonly body: any
}

export interface TestKeystone extends TestApi {
  readonly ask: (
    method: string,
    path: string,
    options?: { token?: string; body?: unknown },
  ) => Promise<Answer>
  /** A token: of the administrator in the project `admin`, unless told. */
  readonly logIn: (options?: LogIn) => Promise<string>
}

interface LogIn {
  readonly name?: string
  readonly password?: string
  readonly scope?: unknown
}

/** An API with its own Keystone, and an administrator. */
export async function startKeystone(): Promise<TestKeystone> {
  const { place, remove } = await temporaryDatabasePlace()
  const database = await openDatabase(place)
  await bootstrapIdentity(database, ADMIN)
  onTestFinished(async () => {
    await database.destroy()
    await remove()
  })
  const api = await startApi({ authentication: ownAuthentication(database), servesIdentity: true, database })
  const ask: TestKeystone['ask'] = async (method, path, { token, body } = {}) => {
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: {
        ...(token !== undefined && { 'x-auth-token': token, 'x-subject-token': token }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const answer = text === '' ? null : (JSON.parse(text) as unknown)
    return { status: response.status, headers: response.headers, body: answer }
  }
  const logIn: TestKeystone['logIn'] = async (options) => {
    const { status, headers } = await ask('POST', '/identity/v3/auth/tokens', {
      body: passwordLogIn(options),
    })
    const token = headers.get('x-subject-token')
    if (status !== 201 || token === null) throw new Error(`Expected a token, got ${status}`)
    return token
  }
  return { ...api, database, ask, logIn }
}

export function passwordLogIn({
  name = ADMIN.name,
  password = ADMIN.password,
  scope = { project: { name: 'admin', domain: { id: 'default' } } },
}: LogIn = {}): object {
  const user = { name, domain: { name: 'Default' }, password }
  return { auth: { identity: { methods: ['password'], password: { user } }, scope } }
}

/** A user with a role in a project of its own, as administrators make them. Answers the ids. */
export async function addMember(
  { ask }: TestKeystone,
  admin: string,
  { name, role = 'member' }: { name: string; role?: string },
): Promise<{ userId: string; projectId: string; password: string }> {
  const password = `password of ${name}`
  const project = await ask('POST', '/identity/v3/projects', { token: admin, body: { project: { name } } })
  const user = await ask('POST', '/identity/v3/users', { token: admin, body: { user: { name, password } } })
  const roles = await ask('GET', `/identity/v3/roles?name=${role}`, { token: admin })
  const ids = { projectId: project.body.project.id, userId: user.body.user.id }
  const path = `/identity/v3/projects/${ids.projectId}/users/${ids.userId}/roles/${roles.body.roles[0].id}`
  const { status } = await ask('PUT', path, { token: admin })
  if (status !== 204) throw new Error(`Expected the role to be assigned, got ${status}`)
  return { ...ids, password }
}
