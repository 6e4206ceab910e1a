import { expect, test } from 'vitest'
import { MiB } from '../../../domain/sizes.ts'
import { NOWHERE, startCinder } from './cinder-api.ts'

const FAILED = { outcome: 'failed', error: { code: 'full', message: 'no space' } } as const

test('A volume is created, shown, renamed and deleted in the forms that strict clients parse', async () => {
  const { call, end, ok } = await startCinder()
  const fields = { size: 2, name: 'data', description: 'of mine', metadata: { a: 'b' } }
  const created = await call('POST', '/volumes', { volume: fields })
  expect(created).toMatchObject({ status: 202 })
  const { volume } = created.body as { volume: Record<string, unknown> & { id: string } }
  expect(volume).toMatchObject({
    ...fields,
    status: 'creating',
    bootable: 'false',
    encrypted: false,
    multiattach: false,
    attachments: [],
    availability_zone: 'nova',
    volume_type: '__DEFAULT__',
    consumes_quota: true,
  })
  // What Cinder's extensions add is in what is shown, and not in what creation and change answer.
  const extended = { 'os-vol-tenant-attr:tenant_id': 'p1', 'os-vol-host-attr:host': 'volflow@local#local' }
  expect(Object.keys(volume).filter((name) => name.startsWith('os-vol'))).toEqual([])
  expect(volume.created_at).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}$/)
  await end(created)
  expect(await ok(200, 'GET', `/volumes/${volume.id}`)).toMatchObject({
    volume: { status: 'available', ...extended },
  })
  const renamed = { name: 'other', description: null, metadata: { c: 'd' } }
  expect(await ok(200, 'PUT', `/volumes/${volume.id}`, { volume: renamed })).toMatchObject({
    volume: renamed,
  })
  await end(await call('DELETE', `/volumes/${volume.id}?cascade=False&force=False`))
  expect(await call('GET', `/volumes/${volume.id}`)).toMatchObject({ status: 404 })
})

test('Older microversions show and take what they knew', async () => {
  const { call, volume } = await startCinder()
  const id = await volume()
  const view = async (version: string) =>
    (await call('GET', `/volumes/${id}`, undefined, { version })).body.volume as object
  expect(await view('3.0')).not.toHaveProperty('group_id')
  expect(await view('3.13')).toHaveProperty('group_id')
  expect(await view('3.62')).not.toHaveProperty('volume_type_id')
  expect(await view('3.63')).toHaveProperty('volume_type_id')
  const odd = { volume: { size: 1, colour: 'red' } }
  expect(await call('POST', '/volumes', odd, { version: '3.52' })).toMatchObject({ status: 202 })
  expect(await call('POST', '/volumes', odd, { version: '3.53' })).toMatchObject({ status: 400 })
  expect(await call('PUT', `/volumes/${id}`, { volume: {} }, { version: '3.52' })).toMatchObject({
    status: 200,
  })
  expect(await call('PUT', `/volumes/${id}`, { volume: {} })).toMatchObject({ status: 400 })
})

test.for<[string, object, number]>([
  ['no size and no source', {}, 400],
  ['size 0', { size: 0 }, 400],
  ['a size in words', { size: 'large' }, 400],
  ['a fraction', { size: 1.5 }, 400],
  ['an absurd size', { size: 65 * 1024 }, 400],
  ['an unknown zone', { size: 1, availability_zone: 'mars' }, 400],
  ['an unknown type', { size: 1, volume_type: 'none' }, 404],
  ['an unknown snapshot', { snapshot_id: NOWHERE }, 404],
  ['an unknown volume', { source_volid: NOWHERE }, 404],
  ['an unknown backup', { backup_id: NOWHERE }, 404],
  ['an unknown image', { size: 1, imageRef: NOWHERE }, 404],
  ['an image that is no id', { size: 1, imageRef: 'cirros' }, 400],
  ['a group', { size: 1, group_id: NOWHERE }, 404],
  ['multiattach', { size: 1, multiattach: true }, 400],
  ['two sources', { source_volid: NOWHERE, snapshot_id: NOWHERE }, 400],
  ['metadata that are no texts', { size: 1, metadata: { a: 1 } }, 400],
  ['a name with 256 letters', { size: 1, name: 'n'.repeat(256) }, 400],
])('A volume with %s is refused, and nothing is left', async ([, fields, status]) => {
  const { refused, database } = await startCinder()
  await refused(status, 'POST', '/volumes', { volume: fields })
  expect(await database.selectFrom('volumes').select('id').execute()).toEqual([])
})

test('Another project’s volume is not there, and an administrator sees all', async () => {
  const { call, volume } = await startCinder()
  const id = await volume()
  const other = { project: 'p2' }
  const answer = await call('GET', '/volumes', undefined, other)
  expect(answer.body).toEqual({ volumes: [] })
  const all = await call('GET', '/volumes/detail?all_tenants=1', undefined, other)
  expect(all.body).toMatchObject({ volumes: [{ id }] })
  expect((await call('GET', '/volumes?all_tenants=1&project_id=p2', undefined, other)).body.volumes).toEqual(
    [],
  )
})

test('A repeated create with the same key finds its first answer', async () => {
  const { call } = await startCinder()
  const create = (size: number) =>
    call('POST', '/volumes', { volume: { size } }, { headers: { 'idempotency-key': 'k1' } })
  const first = await create(1)
  expect((await create(1)).body).toMatchObject({ volume: { id: (first.body.volume as { id: string }).id } })
  expect(await create(2)).toMatchObject({ status: 409 })
})

test('Metadata are shown, added, replaced and removed', async () => {
  const { ok, refused, volume } = await startCinder()
  const path = `/volumes/${await volume({ metadata: { a: '1' } })}/metadata`
  expect(await ok(200, 'GET', path)).toEqual({ metadata: { a: '1' } })
  expect(await ok(200, 'POST', path, { metadata: { b: '2' } })).toEqual({ metadata: { a: '1', b: '2' } })
  expect(await ok(200, 'PUT', `${path}/c`, { meta: { c: '3' } })).toEqual({ meta: { c: '3' } })
  expect(await ok(200, 'GET', `${path}/c`)).toEqual({ meta: { c: '3' } })
  await ok(200, 'DELETE', `${path}/a`)
  expect(await ok(200, 'GET', path)).toEqual({ metadata: { b: '2', c: '3' } })
  expect(await ok(200, 'PUT', path, { metadata: { z: '9' } })).toEqual({ metadata: { z: '9' } })
  await refused(404, 'GET', `${path}/a`)
  await refused(404, 'DELETE', `${path}/a`)
  await refused(400, 'PUT', `${path}/a`, { meta: { b: '1' } })
  await refused(400, 'PUT', path, { metadata: { a: 'x'.repeat(256) } })
  await refused(404, 'GET', `/volumes/${NOWHERE}/metadata`)
})

test('Lists are filtered, sorted and paged; the next link is followed to the end', async () => {
  const { ok, call, refused, volume, url } = await startCinder()
  for (const [name, size] of [
    ['b', 2],
    ['a', 1],
    ['c', 3],
  ] as const)
    // prettier-ignore
    await volume({ name, size, metadata: { name, all: 'yes' } })
  const names = async (query: string) =>
    ((await ok(200, 'GET', `/volumes/detail?${query}`)).volumes as { name: string }[]).map(({ name }) => name)
  expect(await names('')).toEqual(['c', 'a', 'b'])
  expect(await names('sort=name:asc')).toEqual(['a', 'b', 'c'])
  expect(await names('sort_key=size&sort_dir=desc')).toEqual(['c', 'b', 'a'])
  expect(await names('name=a')).toEqual(['a'])
  expect(await names('status=creating')).toEqual([])
  expect(await names("metadata={'name':'b'}")).toEqual(['b'])
  expect(await names("metadata={'all':'yes','name':'c'}")).toEqual(['c'])
  expect(await names("metadata={'all':'y'}")).toEqual([])
  expect(await names('size=2')).toEqual(['b'])
  expect(await names('bootable=True')).toEqual([])
  expect(await names('created_at=gt:2020-01-01')).toHaveLength(3)
  expect(await names('created_at=lt:2020-01-01')).toEqual([])
  expect(await names('limit=1&offset=1')).toEqual(['a'])
  expect(await names('limit=0')).toEqual([])
  expect(await names(`${encodeURIComponent('name~')}=%25`)).toEqual([])
  expect(await ok(200, 'GET', '/volumes?with_count=True&limit=1')).toMatchObject({ count: 3 })
  const seen: string[] = []
  let next: string | undefined = `${url}/volume/v3/p1/volumes?limit=2&sort=name:asc`
  while (next !== undefined) {
    expect(new URL(next).pathname).toBe('/volume/v3/p1/volumes')
    const page = (await (await fetch(next)).json()) as {
      volumes: { name: string }[]
      volumes_links?: { rel: string; href: string }[]
    }
    seen.push(...page.volumes.map(({ name }) => name))
    next = page.volumes_links?.[0]?.href
  }
  expect(seen).toEqual(['a', 'b', 'c'])
  for (const query of [
    'limit=-1',
    'limit=many',
    'sort=colour',
    'sort=name:up',
    'offset=-1',
    'bootable=maybe',
  ])
    await refused(400, 'GET', `/volumes?${query}`)
  await refused(404, 'GET', `/volumes?marker=${NOWHERE}`)
  expect((await call('GET', '/volumes?colour=red')).status).toBe(200)
})

test('The summary counts volumes, GiB and metadata', async () => {
  const { ok, volume, refused } = await startCinder()
  await volume({ size: 2, metadata: { a: '1' } })
  await volume({ size: 3, metadata: { a: '2', constructor: '3' } })
  expect(await ok(200, 'GET', '/volumes/summary')).toEqual({
    'volume-summary': { total_count: 2, total_size: 5, metadata: { a: ['1', '2'], constructor: ['3'] } },
  })
  await refused(404, 'GET', '/volumes/summary', undefined, { version: '3.11' })
})

test('A volume of the native API that is no whole number of GiB counts as the next one', async () => {
  const { client, ok } = await startCinder()
  const { operation } = await client.createVolume({ sizeBytes: 5 * MiB })
  const { volumes } = await ok(200, 'GET', '/volumes/detail?all_tenants=1')
  expect(volumes).toMatchObject([{ id: operation.resourceId, size: 1, volume_type: null }])
})

test('Deletion refuses a volume with snapshots, and takes them along when it is told to', async () => {
  const { call, end, refused, volume, snapshot } = await startCinder()
  const id = await volume()
  const snapshotId = await snapshot(id)
  await refused(400, 'DELETE', `/volumes/${id}`)
  const cascade = await call('DELETE', `/volumes/${id}?cascade=True`)
  expect(cascade).toMatchObject({ status: 202 })
  expect((await call('GET', `/snapshots/${snapshotId}`)).body).toMatchObject({
    snapshot: { status: 'deleting' },
  })
  await end(cascade)
  await refused(404, 'GET', `/snapshots/${snapshotId}`)
  await refused(404, 'GET', `/volumes/${id}`)
})

test('A cascade that fails leaves the volume and its snapshots in error_deleting', async () => {
  const { call, end, ok, volume, snapshot } = await startCinder()
  const id = await volume()
  const snapshotId = await snapshot(id)
  await end(await call('DELETE', `/volumes/${id}?cascade=true`), FAILED)
  expect(await ok(200, 'GET', `/volumes/${id}`)).toMatchObject({ volume: { status: 'error_deleting' } })
  expect(await ok(200, 'GET', `/snapshots/${snapshotId}`)).toMatchObject({
    snapshot: { status: 'error_deleting' },
  })
})
