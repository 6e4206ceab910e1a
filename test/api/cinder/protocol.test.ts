import { expect, test } from 'vitest'
import { parseDictionary } from '../../../api/cinder/dictionary.ts'
import { projectOf, withoutProject } from '../../../api/cinder/path.ts'
import { cinderTime, parseTime } from '../../../api/cinder/times.ts'
import { parseMicroversion } from '../../../domain/microversions.ts'
import { startCinder } from './cinder-api.ts'

test.for<[string, number]>([
  ['/volume', 300],
  ['/volume/', 300],
  ['/volume/v3', 200],
  ['/volume/v3/', 200],
  ['/volume/v3/p1', 200],
  ['/volume/v3/p1/', 200],
])('%s tells the versions, with status %i', async ([path, status]) => {
  const { url } = await startCinder()
  const response = await fetch(`${url}${path}`)
  expect(response.status).toBe(status)
  const { versions } = (await response.json()) as { versions: { links: { rel: string; href: string }[] }[] }
  expect(versions).toMatchObject([{ id: 'v3.0', status: 'CURRENT', version: '3.71', min_version: '3.0' }])
  expect(versions[0]?.links[1]).toEqual({ rel: 'self', href: `${url}/volume/v3/` })
})

test.for<[string | undefined, number | undefined]>([
  [undefined, 0],
  ['volume 3.59', 59],
  ['compute 2.4, volume 3.9', 9],
  ['compute 2.4', 0],
  ['volume latest', 71],
  ['volume 3.71', 71],
  ['volume 3.72', undefined],
  ['volume 2.0', undefined],
  ['volume 3.059', undefined],
  ['volume soon', undefined],
])('The header %s asks for microversion %s', ([header, minor]) => {
  expect(parseMicroversion(header)).toBe(minor)
})

test('The microversion is echoed, and one that is not spoken is refused', async () => {
  const { call } = await startCinder()
  const spoken = await call('GET', '/volumes', undefined, { version: '3.27' })
  expect(spoken.headers.get('openstack-api-version')).toBe('volume 3.27')
  expect(spoken.headers.get('vary')).toContain('OpenStack-API-Version')
  expect(spoken.headers.get('x-openstack-request-id')).toMatch(/^req-/)
  expect(spoken.headers.get('x-compute-request-id')).toBe(spoken.headers.get('x-openstack-request-id'))
  expect(await call('GET', '/volumes', undefined, { version: '3.999' })).toMatchObject({ status: 406 })
})

test('A path may name the project or leave it out', async () => {
  expect(withoutProject('/volume/v3/p1/volumes?limit=1')).toBe('/volume/v3/volumes?limit=1')
  expect(withoutProject('/volume/v3/volumes?limit=1')).toBe('/volume/v3/volumes?limit=1')
  expect(withoutProject('/volume/v3/p1')).toBe('/volume/v3')
  expect(withoutProject('/operations/v1/volumes')).toBe('/operations/v1/volumes')
  expect([projectOf('/volume/v3/admin/types'), projectOf('/volume/v3/types')]).toEqual(['admin', undefined])
  const { url } = await startCinder()
  const response = await fetch(`${url}/volume/v3/volumes`, { headers: { 'x-project-id': 'p1' } })
  expect([response.status, await response.json()]).toEqual([200, { volumes: [] }])
})

test('Unknown paths, methods and bodies are refused in Cinder’s words', async () => {
  const { refused, call } = await startCinder()
  await refused(404, 'GET', '/nothing-here')
  await refused(404, 'GET', '/volumes/name-of-a-volume')
  await refused(400, 'POST', '/volumes', '{"volume":')
  await refused(400, 'POST', '/volumes', '[]')
  await refused(400, 'POST', '/volumes', { volume: { size: 1 }, more: 1 })
  const empty = await call('POST', '/volumes', '', { headers: { 'content-type': 'application/json' } })
  expect(empty).toMatchObject({ status: 400, body: { badRequest: { code: 400 } } })
})

test('Times are written without a zone, and read with or without one', () => {
  expect(cinderTime('2026-11-27T10:00:00.123Z')).toBe('2026-11-27T10:00:00.123000')
  expect(parseTime('2026-11-27T10:00:00')).toBe('2026-11-27T10:00:00.000Z')
  expect(parseTime('2026-11-27T10:00:00Z')).toBe('2026-11-27T10:00:00.000Z')
  expect(parseTime('2026-11-27')).toBe('2026-11-27T00:00:00.000Z')
  expect(parseTime('yesterday')).toBeUndefined()
})

test('Dictionaries are read as Python and as JSON write them', () => {
  expect(parseDictionary(`{'a': 'b', "c": "d"}`)).toEqual([['a', 'b'], ['c', 'd']]) // prettier-ignore
  expect(parseDictionary(`{u'a': u'b'}`)).toEqual([['a', 'b']])
  expect(parseDictionary('{}')).toEqual([])
  expect([parseDictionary('a=b'), parseDictionary("{'a'}")]).toEqual([undefined, undefined])
})
