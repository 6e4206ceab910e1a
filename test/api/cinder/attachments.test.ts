import { expect, test } from 'vitest'
import { runToEnd } from '../end-operation.ts'
import { type Answer, type CinderApi, NOWHERE, startCinder } from './cinder-api.ts'

const CONNECTION = { outcome: 'succeeded', result: { connection: '{"driver":"qcow2"}' } } as const

const act = (api: CinderApi, id: string, name: string, params: unknown = null) =>
  api.call('POST', `/volumes/${id}/action`, { [name]: params })

const statusOf = async (api: CinderApi, id: string) =>
  ((await api.ok(200, 'GET', `/volumes/${id}`)).volume as { status: string }).status

/** Ends, as a worker would, the operation that the request waits for. */
async function answered(api: CinderApi, kind: string, request: Promise<Answer>): Promise<Answer> {
  const open = () =>
    api.database
      .selectFrom('operations')
      .select('id')
      .where('kind', '=', kind as 'attach-volume')
      .where('state', '=', 'pending')
      .execute()
  await expect.poll(open).toHaveLength(1)
  for (const { id } of await open()) await runToEnd(api.database, id, CONNECTION)
  return request
}

test('An attachment is reserved, connected, completed and given back', async () => {
  const api = await startCinder()
  const volume_uuid = await api.volume()
  const reserve = { attachment: { volume_uuid, instance_uuid: NOWHERE } }
  const { attachment } = (await api.ok(200, 'POST', '/attachments', reserve)) as {
    attachment: { id: string }
  }
  expect(attachment).toMatchObject({ status: 'reserved', instance: NOWHERE, connection_info: {} })
  expect(await statusOf(api, volume_uuid)).toBe('reserved')
  await api.refused(400, 'POST', '/attachments', reserve)
  await api.refused(400, 'DELETE', `/volumes/${volume_uuid}`)
  const path = `/attachments/${attachment.id}`
  await api.refused(400, 'POST', `${path}/action`, { 'os-complete': null })
  await api.refused(400, 'PUT', path, { attachment: { connector: {} } })
  const connector = { host: 'h', initiator: 'iqn' }
  const connected = await answered(api, 'attach-volume', api.call('PUT', path, { attachment: { connector } }))
  expect(connected).toMatchObject({
    status: 200,
    body: { attachment: { status: 'attaching', connection_info: { blockdev: { driver: 'qcow2' } } } },
  })
  expect(await statusOf(api, volume_uuid)).toBe('attaching')
  await api.ok(204, 'POST', `${path}/action`, { 'os-complete': null })
  expect(await api.ok(200, 'GET', `/volumes/${volume_uuid}`)).toMatchObject({
    volume: {
      status: 'in-use',
      attachments: [{ attachment_id: attachment.id, server_id: NOWHERE, host_name: 'h' }],
    },
  })
  expect(await api.ok(200, 'GET', `/attachments/detail?volume_id=${volume_uuid}`)).toMatchObject({
    attachments: [{ id: attachment.id, status: 'attached' }],
  })
  const given = await answered(api, 'detach-volume', api.call('DELETE', path))
  expect(given).toMatchObject({ status: 200, body: { attachments: [] } })
  expect(await statusOf(api, volume_uuid)).toBe('available')
  await api.refused(404, 'GET', path)
})

test('A reservation is dropped without a worker, and old microversions know no attachments', async () => {
  const api = await startCinder()
  const volume_uuid = await api.volume()
  await api.refused(404, 'POST', '/attachments', { attachment: { volume_uuid } }, { version: '3.26' })
  await api.refused(404, 'POST', '/attachments', { attachment: { volume_uuid: NOWHERE } })
  await api.refused(404, 'DELETE', `/attachments/${NOWHERE}`)
  const { attachment } = (await api.ok(200, 'POST', '/attachments', { attachment: { volume_uuid } })) as {
    attachment: { id: string }
  }
  await api.ok(200, 'DELETE', `/attachments/${attachment.id}`)
  expect(await statusOf(api, volume_uuid)).toBe('available')
})

test('Nova’s older steps lead from available to in-use and back', async () => {
  const api = await startCinder()
  const id = await api.volume()
  expect(await act(api, id, 'os-unreserve')).toMatchObject({ status: 400 })
  expect(await act(api, id, 'os-reserve', {})).toMatchObject({ status: 202 })
  expect(await act(api, id, 'os-reserve')).toMatchObject({ status: 400 })
  expect(await statusOf(api, id)).toBe('attaching')
  expect(await act(api, id, 'os-unreserve')).toMatchObject({ status: 202 })
  expect(await act(api, id, 'os-reserve')).toMatchObject({ status: 202 })
  const initialize = act(api, id, 'os-initialize_connection', { connector: { host: 'h' } })
  expect(await answered(api, 'attach-volume', initialize)).toMatchObject({
    status: 200,
    body: { connection_info: { driver_volume_type: 'blockdev', data: { blockdev: { driver: 'qcow2' } } } },
  })
  expect(await statusOf(api, id)).toBe('attaching')
  const attach = { instance_uuid: NOWHERE, mountpoint: '/dev/vdb' }
  expect(await act(api, id, 'os-attach', { ...attach, host_name: 'h' })).toMatchObject({ status: 400 })
  expect(await act(api, id, 'os-attach', attach)).toMatchObject({ status: 202 })
  expect(await act(api, id, 'os-attach', attach)).toMatchObject({ status: 400 })
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({
    volume: { status: 'in-use', attachments: [{ server_id: NOWHERE, device: '/dev/vdb', volume_id: id }] },
  })
  await api.refused(400, 'DELETE', `/volumes/${id}`)
  expect(await act(api, id, 'os-begin_detaching')).toMatchObject({ status: 202 })
  expect(await statusOf(api, id)).toBe('detaching')
  expect(await act(api, id, 'os-roll_detaching')).toMatchObject({ status: 202 })
  expect(await act(api, id, 'os-begin_detaching')).toMatchObject({ status: 202 })
  expect(await act(api, id, 'os-terminate_connection', { connector: { host: 'h' } })).toMatchObject({
    status: 202,
  })
  expect(await act(api, id, 'os-detach', { attachment_id: NOWHERE })).toMatchObject({ status: 404 })
  const detached = await act(api, id, 'os-detach', {})
  expect(detached).toMatchObject({ status: 202 })
  expect(await statusOf(api, id)).toBe('detaching')
  await api.end(detached)
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({
    volume: { status: 'available', attachments: [] },
  })
  expect(await act(api, id, 'os-detach', {})).toMatchObject({ status: 400 })
})

test('A volume that is attached at once is somebody’s, also for the native API', async () => {
  const api = await startCinder()
  const id = await api.volume()
  expect(await act(api, id, 'os-update_readonly_flag', { readonly: true })).toMatchObject({ status: 202 })
  const attach = (mode: string) => act(api, id, 'os-attach', { mountpoint: '/dev/vdb', host_name: 'h', mode })
  expect(await attach('rw')).toMatchObject({ status: 400 })
  expect(await attach('ro')).toMatchObject({ status: 202 })
  expect(await api.database.selectFrom('attachments').select('volumeId').execute()).toEqual([
    { volumeId: id },
  ])
  const detached = await act(api, id, 'os-force_detach', {})
  await api.end(detached)
  expect(await statusOf(api, id)).toBe('available')
})

test('A connection that fails leaves the volume available', async () => {
  const api = await startCinder()
  const volume_uuid = await api.volume()
  const connector = { host: 'h' }
  const connecting = api.call('POST', '/attachments', { attachment: { volume_uuid, connector } })
  const open = () =>
    api.database.selectFrom('operations').select('id').where('state', '=', 'pending').execute()
  await expect.poll(open).toHaveLength(1)
  const [{ id } = { id: '' }] = await open()
  await runToEnd(api.database, id, {
    outcome: 'failed',
    error: { code: 'inUse', message: 'somebody has it' },
  })
  expect(await connecting).toMatchObject({
    status: 400,
    body: { badRequest: { message: 'somebody has it' } },
  })
  expect(await statusOf(api, volume_uuid)).toBe('available')
})

test.for([
  { guestBackends: [], guest: undefined },
  { guestBackends: ['local'], guest: NOWHERE },
])('The instance is the guest that is asked only where guests are asked: $guestBackends', async (row) => {
  const { guestBackends, guest } = row
  const places = {
    backends: ['local'],
    stores: ['files'],
    targets: ['disk'],
    cinderTargets: {},
    guestBackends,
  }
  const api = await startCinder({ places })
  const volume_uuid = await api.volume()
  const attachment = { volume_uuid, instance_uuid: NOWHERE, connector: { host: 'h' } }
  await answered(api, 'attach-volume', api.call('POST', '/attachments', { attachment }))
  const { spec } = await api.database
    .selectFrom('operations')
    .select('spec')
    .where('kind', '=', 'attach-volume')
    .executeTakeFirstOrThrow()
  expect((JSON.parse(spec) as { guest?: string }).guest).toBe(guest)
})
