/** Errors that all routes have in common, asked of all routes: they are listed by the API itself, so that none is left out. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FastifyRequest } from 'fastify'
import { rightsOf } from '../../../domain/policy.ts'
import { collectRoutes, type Route } from '../fuzz/routes.ts'
import { type Known, type Schema, valuesOf } from '../fuzz/values.ts'
import { type CinderApi, NOWHERE, startCinder } from './cinder-api.ts'

/** Hundreds of requests each. */
const TIMEOUT_MS = 120_000

type Ids = Readonly<Record<string, string>>

interface Call {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly body: unknown
}

/** Their `:id` and `:name` are no resource of a project: a host, a project, a name. */
const NO_RESOURCE = /^\/volume\/v3\/(?:os-quota-|os-hosts|capabilities|default-types)/

test(
  'What is not there is not found, at every route that names something',
  { timeout: TIMEOUT_MS },
  async () => {
    const { api, calls } = await everyCall({ role: 'admin', idsOf: async () => ({}) })
    const named = calls.filter(({ path }) => path.includes(NOWHERE) && !NO_RESOURCE.test(path))
    const answers = await askAll(api, named)
    expect(answers.length).toBeGreaterThan(100)
    expect(answers.filter(({ status }) => status !== 404)).toEqual([])
  },
)

test(
  'What another project has is not found, at any route, and stays as it is',
  { timeout: TIMEOUT_MS },
  async () => {
    const { api, calls, ids } = await everyCall({ role: 'member', idsOf: theirs })
    const before = await contents(api)
    const naming = calls.filter((call) => Object.values(ids).some((id) => JSON.stringify(call).includes(id)))
    // Whoever has the key may accept a transfer: that is what it is for.
    const answers = await askAll(
      api,
      naming.filter(({ path }) => !path.endsWith('/accept')),
    )
    expect(answers.filter(({ status }) => status === 404).length).toBeGreaterThan(50)
    // What only administrators may do, nobody else is told whether there would be something to do it to.
    expect(answers.filter(({ status }) => status !== 404 && status !== 403)).toEqual([])
    expect(await contents(api)).toEqual(before)
  },
)

test('A reader changes nothing: every route that would is forbidden', { timeout: TIMEOUT_MS }, async () => {
  const { api, calls } = await everyCall({ role: 'reader', idsOf: theirs })
  const before = await contents(api)
  const changes = calls.filter(({ method }) => method !== 'GET')
  const answers = await askAll(api, changes)
  expect(answers.length).toBeGreaterThan(100)
  expect(answers.filter(({ status }) => status !== 403)).toEqual([])
  expect(await contents(api)).toEqual(before)
})

/** The API as somebody of the project `ours` meets it, and a valid request to each route, and each action, that changes or names something. */
async function everyCall({ role, idsOf }: { role: string; idsOf: (api: CinderApi) => Promise<Ids> }) {
  let routes: readonly Route[] = []
  const api = await startCinder(
    { authentication: { callerOf: async (request) => callerFrom(request) } },
    (app) => (routes = collectRoutes(app)),
  )
  const ids = await idsOf(api)
  const asked = routes.filter(
    ({ url, method }) => url.startsWith('/volume/v3/') && (url.includes(':') || method !== 'GET'),
  )
  return { api: { ...api, role }, ids, calls: asked.flatMap((route) => callsOf(route, ids)) }
}

async function callerFrom({ headers }: FastifyRequest) {
  const [projectId = '', role = ''] = String(headers['x-test-caller'] ?? 'theirs:admin').split(':')
  const rights = rightsOf([role])
  if (rights === undefined) return undefined
  return { userId: 'user', projectId, roles: [role], authType: 'none', ...rights } as const
}

/** What is checked before anything is looked for, and not by the schema. */
const MEANT: Readonly<Record<string, unknown>> = {
  ...{ host: 'volflow@local', status: 'error', attach_status: 'detached', migration_status: 'none' },
  ...{
    disk_format: 'raw',
    container_format: 'bare',
    progress: '50%',
    availability_zone: 'nova',
    multiattach: false,
  },
  ...{ meta: { a: 'b' }, connector: { host: 'h' }, name: 'n', extra_specs: { a: 'b' } },
}
const BODIES: Readonly<Record<string, unknown>> = { 'PUT /volume/v3/types/:id/extra_specs/:key': { a: 'b' } }
const EXAMPLES = 20

function callsOf({ method, url, body }: Route, ids: Ids): Call[] {
  const kind = url.split('/')[3] ?? ''
  const path = url.replace(':id', ids[kind] ?? NOWHERE).replace(/:\w+/g, 'a')
  const known: Known = (name, plain) => {
    const value = MEANT[name] ?? (/_(?:id|uuid)$/.test(name) ? ids[name.replace(/_\w+$/, 's')] : undefined)
    return value === undefined ? plain : fc.constant(value)
  }
  const choices = url.endsWith('/action') ? (body?.anyOf ?? []) : [body]
  return choices.map((choice) => ({
    name: `${method} ${url} ${Object.keys(choice?.properties ?? {}).join()}`,
    ...{ method, path, body: BODIES[`${method} ${url}`] ?? exampleOf(choice, known) },
  }))
}

/** The same one each time, with as many fields as it may have. */
function exampleOf(schema: Schema | undefined, known: Known): unknown {
  if (schema === undefined) return undefined
  const some = fc.sample(valuesOf(schema, known), { seed: 1, numRuns: EXAMPLES })
  const fields = (example: unknown) => JSON.stringify(example).split('":').length
  return some.toSorted((a, b) => fields(b) - fields(a))[0]
}

async function askAll(api: CinderApi & { role: string }, calls: readonly Call[]) {
  const answers = []
  for (const { name, method, path, body } of calls) {
    const response = await fetch(api.url + path, {
      method,
      headers: {
        'openstack-api-version': 'volume 3.71',
        'x-test-caller': `ours:${api.role}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    answers.push({ name, status: response.status, text: (await response.text()).slice(0, 200) })
  }
  return answers
}

/** One of everything. */
async function theirs(api: CinderApi): Promise<Ids> {
  const idIn = (body: Readonly<Record<string, unknown>>, name: string) => (body[name] as { id: string }).id
  const volumes = await api.volume()
  const snapshots = await api.snapshot(volumes)
  const backup = await api.call('POST', '/backups', { backup: { volume_id: volumes } })
  await api.end(backup)
  const other = await api.volume()
  const transfer = await api.ok(202, 'POST', '/volume-transfers', { transfer: { volume_id: other } })
  const reserve = { attachment: { volume_uuid: await api.volume(), instance_uuid: NOWHERE } }
  const attachment = await api.ok(200, 'POST', '/attachments', reserve)
  const transfers = idIn(transfer, 'transfer')
  return {
    ...{
      volumes,
      snapshots,
      backups: idIn(backup.body, 'backup'),
      attachments: idIn(attachment, 'attachment'),
    },
    ...{ 'volume-transfers': transfers, 'os-volume-transfer': transfers },
  }
}

async function contents({ database }: CinderApi) {
  const tables = [
    'volumes',
    'snapshots',
    'backups',
    'volumeTypes',
    'volumeTransfers',
    'volumeConnections',
  ] as const
  return Promise.all(
    tables.map((table) =>
      database
        .selectFrom(table as 'volumes')
        .selectAll()
        .orderBy('id')
        .execute(),
    ),
  )
}
