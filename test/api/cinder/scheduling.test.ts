import { expect, test } from 'vitest'
import { changeBackendState } from '../../../database/cinder/backend-states.ts'
import { meetsSpecs } from '../../../domain/volume-type-specs.ts'
import { GiB } from '../../../domain/sizes.ts'
import { type CinderApi, startCinder } from './cinder-api.ts'

const PLACES = {
  backends: ['small', 'large'],
  stores: ['files'],
  targets: ['disk'],
  cinderTargets: {},
  overcommitRatios: { small: 2, large: 1 },
  capabilities: { large: { media: 'ssd' } },
}

async function twoBackends(): Promise<CinderApi> {
  const api = await startCinder({ places: PLACES })
  const measuredAt = '2026-11-27T10:00:00.000Z'
  await changeBackendState(api.database, 'small', { totalBytes: 5 * GiB, freeBytes: 5 * GiB, measuredAt })
  await changeBackendState(api.database, 'large', { totalBytes: 12 * GiB, freeBytes: 12 * GiB, measuredAt })
  return api
}

const typed = (api: CinderApi, name: string, extra_specs: object) =>
  api.ok(200, 'POST', '/types', { volume_type: { name, extra_specs } })

async function hostOf(api: CinderApi, fields: object): Promise<string | undefined> {
  const created = (await api.ok(202, 'POST', '/volumes', { volume: fields })).volume as { id: string }
  const { volume } = await api.ok(200, 'GET', `/volumes/${created.id}`)
  return (volume as Record<string, string>)['os-vol-host-attr:host']
}

test.for<[string, string, boolean]>([
  ['<is> True', 'true', true],
  ['<is> True', 'false', false],
  ['<in> sd', 'ssd', true],
  ['<or> hdd <or> ssd', 'ssd', true],
  ['<or> hdd <or> tape', 'ssd', false],
  ['s== ssd', 'ssd', true],
  ['s!= ssd', 'ssd', false],
  ['>= 10', '9', false],
  ['= 10', '11', true],
  ['<= 10', '9', true],
  ['== 9', '9', true],
  ['SSD', 'ssd', true],
])('The spec "%s" is met by %s: %s', ([wanted, value, met]) => {
  expect(meetsSpecs({ 'capabilities:media': wanted }, { media: value })).toBe(met)
})

test('Specs of other scopes are for others, and what a backend has not is not met', () => {
  expect(meetsSpecs({ 'provisioning:min': '1' }, {})).toBe(true)
  expect(meetsSpecs({ media: 'ssd' }, {})).toBe(false)
})

test('The roomiest backend is taken, as what was promised before leaves it', async () => {
  const api = await twoBackends()
  expect(await hostOf(api, { size: 5 })).toBe('volflow@large#large')
  expect(await hostOf(api, { size: 1 })).toBe('volflow@small#small')
  expect(await hostOf(api, { size: 7 })).toBe('volflow@small#small')
})

test('A type’s specs choose the backend; where there is none, the volume is in error and a message says why', async () => {
  const api = await twoBackends()
  await typed(api, 'small', { volume_backend_name: 'small' })
  await typed(api, 'fast', { media: 'ssd' })
  await typed(api, 'nowhere', { volume_backend_name: 'moon' })
  expect(await hostOf(api, { size: 1, volume_type: 'small' })).toBe('volflow@small#small')
  expect(await hostOf(api, { size: 1, volume_type: 'fast' })).toBe('volflow@large#large')
  const { volume } = (await api.ok(202, 'POST', '/volumes', {
    volume: { size: 1, volume_type: 'nowhere' },
  })) as { volume: { id: string } }
  expect(volume).toMatchObject({ status: 'error', size: 1 })
  const { messages } = (await api.ok(200, 'GET', `/messages?resource_uuid=${volume.id}`)) as {
    messages: { id: string }[]
  }
  expect(messages).toMatchObject([
    { event_id: 'VOLUME_VOLUME_001_003', message_level: 'ERROR', resource_type: 'VOLUME' },
  ])
  const path = `/messages/${messages[0]?.id ?? ''}`
  expect(await api.ok(200, 'GET', path)).toMatchObject({
    message: { user_message: expect.stringContaining('No valid backend') as string },
  })
  await api.ok(204, 'DELETE', path)
  await api.refused(404, 'GET', path)
  await api.end(await api.call('DELETE', `/volumes/${volume.id}`))
})

test('Racing volumes never promise more than there is', async () => {
  const api = await twoBackends()
  await typed(api, 'large', { volume_backend_name: 'large' })
  const create = () => api.ok(202, 'POST', '/volumes', { volume: { size: 1, volume_type: 'large' } })
  const answers = await Promise.all(Array.from({ length: 20 }, create))
  const statuses = answers.map(({ volume }) => (volume as { status: string }).status)
  expect(statuses.filter((status) => status === 'creating')).toHaveLength(12)
  expect(statuses.filter((status) => status === 'error')).toHaveLength(8)
})

test('A backend that is disabled gets no new volumes', async () => {
  const api = await twoBackends()
  const service = { host: 'volflow@large', binary: 'cinder-volume' }
  expect(
    await api.ok(200, 'PUT', '/os-services/disable-log-reason', { ...service, disabled_reason: 'full' }),
  ).toMatchObject({ status: 'disabled', disabled_reason: 'full' })
  expect(await hostOf(api, { size: 1 })).toBe('volflow@small#small')
  expect(await api.ok(200, 'GET', '/os-services?host=volflow@large')).toMatchObject({
    services: [{ binary: 'cinder-volume', status: 'disabled', disabled_reason: 'full', state: 'up' }],
  })
  await api.ok(200, 'PUT', '/os-services/enable', service)
  expect(await hostOf(api, { size: 1 })).toBe('volflow@large#large')
  await api.refused(404, 'PUT', '/os-services/disable', { ...service, host: 'other' })
  await api.refused(400, 'PUT', '/os-services/disable-log-reason', { ...service, disabled_reason: ' ' })
})

test('Hosts are the services once more, and say what is on them', async () => {
  const api = await twoBackends()
  await api.snapshot(await api.volume({ size: 2 }))
  const { hosts } = await api.ok(200, 'GET', '/os-hosts')
  expect(hosts).toHaveLength(4)
  expect(hosts).toContainEqual({
    ...{ service: 'cinder-volume', host_name: 'volflow@large', zone: 'nova', 'service-state': 'enabled' },
    ...{ 'service-status': 'available', 'last-update': expect.any(String) },
  })
  const usage = { host: 'volflow@large', ...{ volume_count: '1', total_volume_gb: '2' } }
  const snapshots = { snapshot_count: '1', total_snapshot_gb: '2' }
  expect(await api.ok(200, 'GET', '/os-hosts/volflow@large')).toEqual({
    host: ['(total)', 'p1'].map((project) => ({ resource: { project, ...usage, ...snapshots } })),
  })
  await api.refused(404, 'GET', '/os-hosts/volflow@nowhere')
})

test('Pools say how much room there is', async () => {
  const api = await twoBackends()
  await api.volume()
  expect(await api.ok(200, 'GET', '/scheduler-stats/get_pools?detail=True')).toMatchObject({
    pools: [
      { name: 'volflow@small#small', capabilities: { total_capacity_gb: 5, provisioned_capacity_gb: 0 } },
      { name: 'volflow@large#large', capabilities: { provisioned_capacity_gb: 1, media: 'ssd' } },
    ],
  })
  expect(await api.ok(200, 'GET', '/capabilities/volflow@small')).toMatchObject({ pool_name: 'small' })
  await api.refused(404, 'GET', '/capabilities/other')
})

test('A retype changes the name where the backend fits, and moves the volume where it does not', async () => {
  const api = await twoBackends()
  await typed(api, 'small', { volume_backend_name: 'small' })
  await typed(api, 'fast', { media: 'ssd' })
  await typed(api, 'nowhere', { media: 'tape' })
  const id = await api.volume({ volume_type: 'fast' })
  const retype = (new_type: string, migration_policy?: string) =>
    api.call('POST', `/volumes/${id}/action`, { 'os-retype': { new_type, migration_policy } })
  expect(await retype('fast')).toMatchObject({ status: 400 })
  expect(await retype('none')).toMatchObject({ status: 404 })
  expect(await retype('small', 'never')).toMatchObject({ status: 400 })
  expect(await retype('nowhere', 'on-demand')).toMatchObject({ status: 400 })
  expect(await retype('__DEFAULT__')).toMatchObject({ status: 202 })
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({
    volume: { status: 'available', volume_type: '__DEFAULT__' },
  })
  const moving = await retype('small', 'on-demand')
  expect(moving).toMatchObject({ status: 202 })
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({
    volume: { status: 'retyping', migration_status: 'migrating', volume_type: '__DEFAULT__' },
  })
  await api.end(moving, { outcome: 'succeeded', result: {} })
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({
    volume: { status: 'available', migration_status: 'success', volume_type: 'small' },
  })
})

test('A project has a default type of its own', async () => {
  const api = await twoBackends()
  await typed(api, 'small', { volume_backend_name: 'small' })
  await api.refused(404, 'GET', '/default-types/p1')
  await api.refused(404, 'PUT', '/default-types/p1', { default_type: { volume_type: 'none' } })
  await api.ok(200, 'PUT', '/default-types/p1', { default_type: { volume_type: 'small' } })
  expect(await api.ok(200, 'GET', '/types/default')).toMatchObject({ volume_type: { name: 'small' } })
  expect(await hostOf(api, { size: 1 })).toBe('volflow@small#small')
  await api.refused(400, 'DELETE', '/types/small')
  expect((await api.ok(200, 'GET', '/default-types')).default_types).toHaveLength(1)
  await api.ok(204, 'DELETE', '/default-types/p1')
  await api.refused(404, 'DELETE', '/default-types/p1')
})

test('What clients ask first is answered, and what is not spoken has Cinder’s answers', async () => {
  const api = await twoBackends()
  expect(await api.ok(200, 'GET', '/os-availability-zone')).toMatchObject({
    availabilityZoneInfo: [{ zoneName: 'nova', zoneState: { available: true } }],
  })
  expect((await api.ok(200, 'GET', '/extensions')).extensions).not.toHaveLength(0)
  expect(await api.ok(200, 'GET', '/resource_filters?resource=backup')).toEqual({
    resource_filters: [{ resource: 'backup', filters: ['name', 'status', 'volume_id'] }],
  })
  for (const method of ['POST', 'PUT'])
    expect(await api.ok(202, method, '/workers/cleanup', {})).toEqual({ cleaning: [], unavailable: [] })
  for (const [path, name] of [
    ['groups/detail', 'groups'],
    ['qos-specs', 'qos_specs'],
    ['group_types', 'group_types'],
  ] as const)
    // prettier-ignore
    expect(await api.ok(200, 'GET', `/${path}`)).toEqual({ [name]: [] })
  await api.refused(404, 'GET', '/groups/g')
  await api.refused(400, 'POST', '/groups', { group: {} })
  await api.refused(404, 'GET', '/groups', undefined, { version: '3.12' })
  await api.ok(200, 'PUT', '/os-services/get-log', {})
  await api.ok(200, 'PUT', '/os-services/freeze', { host: 'volflow@small' })
  for (const name of ['freeze', 'thaw', 'failover'])
    await api.refused(400, 'PUT', `/os-services/${name}`, { host: 'volflow@nowhere' })
  await api.refused(400, 'PUT', '/os-services/failover_host', { host: 'volflow@small' })
})
