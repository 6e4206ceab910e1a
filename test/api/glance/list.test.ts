import { expect, test } from 'vitest'
import { startGlance, type TestGlance } from './start-glance.ts'

async function names(api: TestGlance, query = '', as = 'p1:member'): Promise<string[]> {
  const answer = await api.call('GET', `/v2/images${query}`, { as })
  if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text}`)
  return answer.body.images.map(({ name }: { name: string }) => name)
}

test('Who sees which images follows from their visibility', async () => {
  const api = await startGlance()
  for (const visibility of ['private', 'shared', 'community'])
    await api.create({ name: visibility, visibility })
  await api.create({ name: 'public', visibility: 'public' }, 'admins:admin')
  const { id: offered } = await api.create({ name: 'offered', visibility: 'shared' })
  await api.call('POST', `/v2/images/${offered}/members`, { body: { member: 'p2' } })
  const asked = async (query: string, as: string) => (await names(api, query, as)).toSorted()
  const all = ['community', 'offered', 'private', 'public', 'shared']
  expect(await asked('', 'p1:member')).toEqual(all)
  expect(await asked('', 'admins:admin')).toEqual(all)
  expect(await asked('', 'p2:member')).toEqual(['public'])
  expect(await asked('?visibility=community', 'p2:member')).toEqual(['community'])
  expect(await asked('?visibility=all', 'p2:member')).toEqual(['community', 'public'])
  expect(await asked('?member_status=pending', 'p2:member')).toEqual(['offered', 'public'])
  expect(await asked('?visibility=shared&member_status=all', 'p2:member')).toEqual(['offered'])
  expect(await asked('?visibility=private', 'p2:member')).toEqual([])
  expect(await asked('?visibility=private', 'p1:member')).toEqual(['private'])
  expect(await asked('?visibility=shared', 'p1:member')).toEqual(['offered', 'shared'])
  await api.call('PUT', `/v2/images/${offered}/members/p2`, { as: 'p2:member', body: { status: 'accepted' } })
  expect(await asked('', 'p2:member')).toEqual(['offered', 'public'])
  expect(await asked('?visibility=shared', 'p2:member')).toEqual(['offered'])
  expect(await asked('?member_status=rejected', 'p2:member')).toEqual(['public'])
})

test('Filters narrow the list, and several are all meant', async () => {
  const api = await startGlance()
  await api.create({ name: 'a', min_disk: 1, tags: ['x', 'y'], os_type: 'linux', protected: true })
  await api.create({ name: 'b,c', min_disk: 5, tags: ['x'], os_type: 'linux"s', disk_format: 'qcow2' })
  await api.create({ name: 'd:e', min_disk: 9, os_type: 'Linux', os_hidden: true })
  const { id } = await api.create({ name: 'f', disk_format: null, container_format: null })
  const asked = async (query: string) => (await names(api, query)).toSorted()
  expect(await asked('')).toEqual(['a', 'b,c', 'f'])
  expect(await asked('?os_hidden=true')).toEqual(['d:e'])
  expect(await asked('?name=a')).toEqual(['a'])
  expect(await asked('?name=d:e&os_hidden=True')).toEqual(['d:e'])
  expect(await asked('?name=in:a,"b,c",zzz')).toEqual(['a', 'b,c'])
  expect(await asked('?name=eq:f')).toEqual(['f'])
  expect(await asked(`?id=in:${id}`)).toEqual(['f'])
  expect(await asked('?disk_format=qcow2')).toEqual(['b,c'])
  expect(await asked('?container_format=in:bare')).toEqual(['a', 'b,c'])
  expect(await asked('?tag=x')).toEqual(['a', 'b,c'])
  expect(await asked('?tag=x&tag=y')).toEqual(['a'])
  expect(await asked('?protected=true')).toEqual(['a'])
  expect(await asked('?min_disk=5')).toEqual(['b,c'])
  expect(await asked('?min_disk_max=4&min_disk_min=1')).toEqual(['a'])
  expect(await asked('?size_min=1')).toEqual([])
  expect(
    await asked('?min_disk_min=999999999999999&min_ram_min=999999999999999&size_min=999999999999999'),
  ).toEqual([])
  expect(await asked('?status=queued&owner=p1')).toEqual(['a', 'b,c', 'f'])
  expect(await asked('?status=active')).toEqual([])
  expect(await asked('?os_type=linux')).toEqual(['a'])
  expect(await asked('?os_type=linux%22s')).toEqual(['b,c'])
  expect(await asked('?os_type=lin')).toEqual([])
})

test('Times are compared by their second, in any zone', async () => {
  const api = await startGlance()
  const { id } = await api.create({ name: 'a' })
  await api.database
    .updateTable('images')
    .set({ createdAt: '2026-11-27T10:00:00.900Z', updatedAt: '2026-11-27T11:00:00.100Z' })
    .where('id', '=', id)
    .execute()
  for (const [query, found] of [
    ['created_at=2026-11-27T10:00:00Z', true],
    ['created_at=eq:2026-11-27T11:00:00%2B01:00', true],
    ['created_at=neq:2026-11-27T10:00:00Z', false],
    ['created_at=gt:2026-11-27T10:00:00Z', false],
    ['created_at=gte:2026-11-27T10:00:00', true],
    ['created_at=lt:2026-11-28', true],
    ['updated_at=lte:2026-11-27T10:59:59Z', false],
    ['updated_at=gt:2026-11-27T10:59:59Z', true],
  ] as const) {
    expect([query, await names(api, `?${query}`)]).toEqual([query, found ? ['a'] : []])
  }
})

test.for([
  ['limit=-1'],
  ['limit=x'],
  ['marker=4a8f3c7e-0000-4000-8000-000000000000'],
  ['visibility=hidden'],
  ['member_status=maybe'],
  ['protected=perhaps'],
  ['os_hidden=perhaps'],
  ['size_min=x'],
  ['min_disk=-1'],
  ['created_at=yesterday'],
  ['created_at=around:2026-11-27T10:00:00Z'],
  ['name=in:"a'],
  ['sort_key=colour'],
  ['sort_dir=up'],
  ['sort=name:up'],
  ['sort=name&sort_key=name'],
  ['sort_key=name&sort_dir=asc&sort_dir=desc'],
])('A list with %s is refused', async ([query]) => {
  const { call } = await startGlance()
  expect((await call('GET', `/v2/images?${query}`)).status).toBe(400)
})

test('Lists are sorted as asked, the newest first otherwise, and what is unknown before all else', async () => {
  const api = await startGlance()
  for (const [name, format] of [
    ['b', 'raw'],
    ['a', 'qcow2'],
    ['c', null],
    ['a', 'raw'],
  ] as const) {
    await api.create({ name, disk_format: format })
  }
  await spread(api)
  expect(await names(api)).toEqual(['a', 'c', 'a', 'b'])
  expect(await names(api, '?sort=name:asc')).toEqual(['a', 'a', 'b', 'c'])
  expect(await names(api, '?sort_key=name&sort_dir=desc')).toEqual(['c', 'b', 'a', 'a'])
  expect(await names(api, '?sort=disk_format:asc,name:desc')).toEqual(['c', 'a', 'b', 'a'])
  expect(await names(api, '?sort_key=disk_format&sort_key=name&sort_dir=asc')).toEqual(['c', 'a', 'a', 'b'])
  expect(await names(api, '?sort_key=created_at&sort_dir=asc')).toEqual(['b', 'a', 'c', 'a'])
  expect(await names(api, '?sort_key=size&sort_key=updated_at&sort_dir=desc')).toEqual(['a', 'c', 'a', 'b'])
})

test(
  'Pages follow each other without a gap or a repetition, in every order',
  { timeout: 30_000 },
  async () => {
    const api = await startGlance()
    for (const name of ['c', 'a', 'b', 'a', 'c', 'a', 'b']) await api.create({ name })
    await spread(api)
    for (const query of ['', 'sort=name:asc', 'sort=name:desc', 'sort=size:asc,name:desc', 'sort=id:asc']) {
      const whole = (await api.call('GET', `/v2/images?${query}`)).body
      expect(whole.next).toBeUndefined()
      const ids = whole.images.map(({ id }: { id: string }) => id)
      const paged: string[] = []
      let next: string | undefined = `/v2/images?${query === '' ? '' : `${query}&`}limit=2`
      for (; next !== undefined && paged.length < 20;) {
        const page: { images: { id: string }[]; next?: string } = (await api.call('GET', next)).body
        expect(page.images.length).toBeLessThanOrEqual(2)
        paged.push(...page.images.map(({ id }) => id))
        next = page.next
      }
      expect(paged).toEqual(ids)
    }
  },
)

test('A page says where it begins; an empty one is none; 25 are the default', async () => {
  const api = await startGlance()
  for (let count = 0; count < 26; count += 1) await api.create({ name: 'n' })
  const page = (await api.call('GET', '/v2/images?name=n')).body
  expect(page.images).toHaveLength(25)
  expect(page.first).toBe('/v2/images?name=n')
  expect(page.next).toBe(`/v2/images?name=n&marker=${page.images[24].id}`)
  expect(page.schema).toBe('/v2/schemas/images')
  expect((await api.call('GET', '/v2/images?limit=0')).body.images).toEqual([])
  expect((await api.call('GET', '/v2/images?name=other')).body).toMatchObject({ images: [] })
})

/** A second between each two images, in the order in which they were made. */
async function spread({ database }: TestGlance): Promise<void> {
  const rows = await database.selectFrom('images').select('id').orderBy('createdAt').execute()
  for (const [index, { id }] of rows.entries()) {
    const createdAt = new Date(Date.UTC(2026, 10, 27, 10, 0, index)).toISOString()
    await database.updateTable('images').set({ createdAt }).where('id', '=', id).execute()
  }
}
