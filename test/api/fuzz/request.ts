import fc from 'fast-check'
import type { Pool } from './known.ts'
import type { Route } from './routes.ts'
import { valuesOf } from './values.ts'

export interface FuzzedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** What Cinder's lists understand, which is not in a schema: they ignore what they do not know, or refuse it. */
const CINDER_QUERY: Readonly<Record<string, fc.Arbitrary<string>>> = {
  limit: fc.oneof(fc.nat({ max: 30 }).map(String), fc.constant('-1')),
  offset: fc.nat({ max: 9 }).map(String),
  marker: fc.uuid(),
  sort: fc.constantFrom('name:asc', 'created_at', 'id:desc,size:asc', 'colour:up'),
  sort_key: fc.constantFrom('id', 'status', 'colour'),
  all_tenants: fc.constantFrom('1', 'False', 'maybe'),
  with_count: fc.constantFrom('true', 'False'),
  name: fc.string({ unit: 'grapheme', maxLength: 8 }),
  'name~': fc.string({ maxLength: 8 }),
  status: fc.constantFrom('available', 'error', 'nothing'),
  metadata: fc.constantFrom("{'a': 'b'}", '{', "{'%': '_'}"),
  created_at: fc.constantFrom('gt:2020-01-01T00:00:00', 'lt:never'),
}
const GLANCE_QUERY: Readonly<Record<string, fc.Arbitrary<string>>> = {
  limit: fc.oneof(fc.nat({ max: 30 }).map(String), fc.constant('-1')),
  marker: fc.uuid(),
  sort: fc.constantFrom('name:asc', 'created_at', 'id:desc,size:asc', 'colour:up'),
  name: fc.string({ unit: 'grapheme', maxLength: 8 }),
  status: fc.constantFrom('active', 'in:active,"queued"', 'nothing'),
  visibility: fc.constantFrom('public', 'all', 'some'),
  size_min: fc.constantFrom('0', '1e9', 'large'),
  created_at: fc.constantFrom('gte:2020-01-01T00:00:00Z', 'lt:never'),
  tag: fc.constantFrom('a', '%'),
}
const VERSIONS = fc.oneof(
  { weight: 7, arbitrary: fc.constant('3.71') },
  { weight: 2, arbitrary: fc.nat({ max: 71 }).map((minor) => `3.${minor}`) },
  { weight: 1, arbitrary: fc.constantFrom('latest', '3.99', '2.0', '3.', 'x') },
)

/** A request to the route: as a client would make it, or with one thing wrong. */
export function requests(route: Route, pool: Pool): fc.Arbitrary<FuzzedRequest> {
  const query = queries(route, pool)
  const asMeant = fc.record({
    path: paths(route, pool),
    query,
    headers: headers(route),
    body: bodies(route, pool),
  })
  return fc
    .tuple(
      asMeant,
      fc.oneof(
        { weight: 3, arbitrary: fc.constant('none') },
        { weight: 1, arbitrary: fc.constantFrom(...WRONGS) },
      ),
      fc.jsonValue({ maxDepth: 2 }),
      fc.nat(),
    )
    .map(([{ path, query: given, headers: sent, body }, wrong, junk, at]) => {
      const search = new URLSearchParams(
        wrong === 'query' ? { ...given, [`q${at}`]: JSON.stringify(junk) } : given,
      )
      const altered = wrong === 'field' ? withJunk(body, junk, at) : body
      const text =
        route.url.endsWith('/file') || route.url.endsWith('/stage') ? BYTES : JSON.stringify(altered)
      const whole = wrong === 'cut' ? text?.slice(0, at % text.length) : text
      const type = wrong === 'type' ? { 'content-type': TYPES[at % TYPES.length] ?? '' } : {}
      return {
        method: route.method,
        path: search.size === 0 ? path : `${path}?${search.toString()}`,
        headers: { ...sent, ...(whole !== undefined && type) },
        ...(whole !== undefined && route.method !== 'GET' && { body: whole }),
      }
    })
}

const WRONGS = ['field', 'cut', 'type', 'query'] as const
const TYPES = [
  'text/plain',
  'application/xml',
  'application/octet-stream',
  'application/json; charset=latin1',
]
const BYTES = 'x'.repeat(2048)

function paths(route: Route, pool: Pool): fc.Arbitrary<string> {
  const parts = route.url.split('/').map((part) => {
    const name = /^:(\w+)/.exec(part)?.[1]
    return name === undefined
      ? fc.constant(part)
      : pool.parameter(route.url, name).map((value) => encodeURIComponent(String(value)))
  })
  return fc.tuple(...parts).map((all) => all.join('/'))
}

function queries(route: Route, pool: Pool): fc.Arbitrary<Readonly<Record<string, string>>> {
  if (route.query !== undefined)
    return valuesOf(route.query, pool.known).map((value) =>
      Object.fromEntries(Object.entries(value as object).map(([name, one]) => [name, String(one)])),
    )
  if (route.method !== 'GET') return fc.constant({})
  const known = route.url.startsWith('/volume') ? CINDER_QUERY : GLANCE_QUERY
  const some = fc.subarray(Object.keys(known), { maxLength: 2 })
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: some.chain((names) =>
        fc.record(Object.fromEntries(names.map((name) => [name, known[name] ?? fc.constant('')]))),
      ),
    },
  )
}

function headers(route: Route): fc.Arbitrary<Readonly<Record<string, string>>> {
  const isPatch = route.method === 'PATCH' && route.url.startsWith('/image')
  const isBytes = route.url.endsWith('/file') || route.url.endsWith('/stage')
  const type = isPatch
    ? 'application/openstack-images-v2.1-json-patch'
    : isBytes
      ? 'application/octet-stream'
      : 'application/json'
  const project = fc.oneof(
    { weight: 9, arbitrary: fc.constant('fuzz') },
    { weight: 1, arbitrary: fc.constantFrom('other', '../x', '') },
  )
  return fc
    .record({
      version: VERSIONS,
      project,
      key: fc.oneof(
        { weight: 9, arbitrary: fc.constant(null) },
        { weight: 1, arbitrary: fc.nat({ max: 50 }) },
      ),
    })
    .map(({ version, project: id, key }) => ({
      ...(route.method !== 'GET' && (route.body !== undefined || isBytes) && { 'content-type': type }),
      ...(route.url.startsWith('/volume') && { 'openstack-api-version': `volume ${version}` }),
      ...(id !== '' && { 'x-project-id': id }),
      ...(key !== null && { 'idempotency-key': `key-${key}` }),
    }))
}

function bodies(route: Route, pool: Pool): fc.Arbitrary<unknown> {
  return route.body === undefined || route.method === 'GET'
    ? fc.constant(undefined)
    : valuesOf(route.body, pool.known)
}

/** One value somewhere in it is another one. */
function withJunk(body: unknown, junk: unknown, at: number): unknown {
  if (typeof body !== 'object' || body === null) return junk
  const entries = Object.entries(body)
  const [name, value] = entries[at % Math.max(1, entries.length)] ?? [`field${at}`, undefined]
  const changed = at % 3 === 0 || typeof value !== 'object' ? junk : withJunk(value, junk, Math.floor(at / 3))
  if (Array.isArray(body))
    return body.map((item: unknown, index) => (String(index) === name ? changed : item))
  return { ...body, [name]: changed }
}
