import { expect, test } from 'vitest'
import { type CinderApi, NOWHERE, startCinder } from './cinder-api.ts'

async function typeIn(api: CinderApi, fields: object): Promise<string> {
  const { volume_type } = await api.ok(200, 'POST', '/types', { volume_type: fields })
  expect(volume_type).not.toHaveProperty('qos_specs_id')
  return (volume_type as { id: string }).id
}

test('A type is created, renamed, and deleted when no volume has it', async () => {
  const api = await startCinder()
  const id = await typeIn(api, { name: 'ssd', description: 'fast', extra_specs: { a: 'b' } })
  expect(await api.ok(200, 'GET', `/types/${id}`)).toMatchObject({
    volume_type: {
      ...{ id, name: 'ssd', description: 'fast', is_public: true, extra_specs: { a: 'b' } },
      'os-volume-type-access:is_public': true,
    },
  })
  expect(await api.ok(200, 'GET', '/types/ssd')).toMatchObject({ volume_type: { id } })
  await api.refused(409, 'POST', '/types', { volume_type: { name: 'ssd' } })
  for (const wrong of [{}, { name: '' }, { name: '  ' }, { name: 'x', extra_specs: { a: 1 } }])
    await api.refused(400, 'POST', '/types', { volume_type: wrong })
  await api.ok(202, 'DELETE', `/types/${id}/extra_specs/a`)
  const volumeId = await api.volume({ volume_type: 'ssd' })
  const rename = { name: 'nvme', description: null, is_public: 'True' }
  expect(await api.ok(200, 'PUT', `/types/${id}`, { volume_type: rename })).toMatchObject({
    volume_type: { name: 'nvme', description: 'fast' },
  })
  expect(await api.ok(200, 'GET', `/volumes/${volumeId}`)).toMatchObject({
    volume: { volume_type: 'nvme', volume_type_id: id },
  })
  await api.refused(400, 'PUT', `/types/${id}`, { volume_type: { name: null, description: null } })
  await api.refused(409, 'PUT', `/types/${id}`, { volume_type: { name: '__DEFAULT__' } })
  await api.refused(400, 'DELETE', `/types/${id}`)
  await api.end(await api.call('DELETE', `/volumes/${volumeId}`))
  await api.ok(202, 'DELETE', `/types/${id}`)
  await api.refused(404, 'GET', `/types/${id}`)
  await api.refused(400, 'DELETE', '/types/__DEFAULT__')
})

test('Extra specs are set, shown and removed', async () => {
  const api = await startCinder()
  const path = `/types/${await typeIn(api, { name: 't' })}/extra_specs`
  expect(await api.ok(200, 'POST', path, { extra_specs: { a: '1', b: '2' } })).toEqual({
    extra_specs: { a: '1', b: '2' },
  })
  expect(await api.ok(200, 'PUT', `${path}/a`, { a: '3' })).toEqual({ a: '3' })
  expect(await api.ok(200, 'GET', `${path}/a`)).toEqual({ a: '3' })
  await api.ok(202, 'DELETE', `${path}/b`)
  expect(await api.ok(200, 'GET', path)).toEqual({ extra_specs: { a: '3' } })
  await api.refused(404, 'GET', `${path}/b`)
  await api.refused(404, 'DELETE', `${path}/b`)
  await api.refused(400, 'PUT', `${path}/a`, { b: '3' })
  await api.refused(400, 'POST', path, { extra_specs: { 'a/b': '1' } })
  await api.refused(404, 'POST', `/types/${NOWHERE}/extra_specs`, { extra_specs: {} })
})

test('A type that is not public is for the projects that were let in', async () => {
  const api = await startCinder()
  const id = await typeIn(api, { name: 'secret', 'os-volume-type-access:is_public': false })
  const names = async (query: string) =>
    ((await api.ok(200, 'GET', `/types?${query}`)).volume_types as { name: string }[]).map(({ name }) => name)
  expect(await names('')).toEqual(['__DEFAULT__'])
  expect(await names('is_public=False')).toEqual(['secret'])
  expect(await names('is_public=None&sort=name:asc')).toEqual(['__DEFAULT__', 'secret'])
  const act = (name: string, project = 'p2') =>
    api.call('POST', `/types/${id}/action`, { [name]: { project } })
  // Not even the project of the administrator who made it.
  expect(await api.ok(200, 'GET', `/types/${id}/os-volume-type-access`)).toEqual({ volume_type_access: [] })
  expect(await act('addProjectAccess', 'p1')).toMatchObject({ status: 202 })
  expect(await act('addProjectAccess')).toMatchObject({ status: 202 })
  expect(await act('addProjectAccess')).toMatchObject({ status: 409 })
  expect(await api.ok(200, 'GET', `/types/${id}/os-volume-type-access`)).toEqual({
    volume_type_access: [
      { volume_type_id: id, project_id: 'p1' },
      { volume_type_id: id, project_id: 'p2' },
    ],
  })
  expect(await act('removeProjectAccess')).toMatchObject({ status: 202 })
  expect(await act('removeProjectAccess')).toMatchObject({ status: 404 })
  await api.refused(404, 'GET', '/types/__DEFAULT__/os-volume-type-access')
  await api.refused(400, 'POST', '/types/__DEFAULT__/action', { addProjectAccess: { project: 'p' } })
})

test('An encryption record is kept, and no volume is made that would have to be encrypted', async () => {
  const api = await startCinder()
  const id = await typeIn(api, { name: 'crypt' })
  const path = `/types/${id}/encryption`
  expect(await api.ok(200, 'GET', path)).toEqual({})
  const encryption = {
    provider: 'luks',
    control_location: 'front-end',
    cipher: 'aes-xts-plain64',
    key_size: 256,
  }
  await api.refused(400, 'POST', path, { encryption: { provider: 'luks', control_location: 'moon' } })
  expect(await api.ok(200, 'POST', path, { encryption })).toMatchObject({
    encryption: { ...encryption, volume_type_id: id },
  })
  await api.refused(409, 'POST', path, { encryption })
  const { encryption_id } = await api.ok(200, 'GET', path)
  expect(await api.ok(200, 'GET', `${path}/cipher`)).toEqual({ cipher: 'aes-xts-plain64' })
  await api.refused(404, 'GET', `${path}/colour`)
  const change = { encryption: { key_size: 512 } }
  expect(await api.ok(200, 'PUT', `${path}/${String(encryption_id)}`, change)).toEqual(change)
  await api.refused(404, 'PUT', `${path}/${NOWHERE}`, change)
  await api.refused(400, 'POST', '/volumes', { volume: { size: 1, volume_type: 'crypt' } })
  await api.ok(202, 'DELETE', `${path}/${String(encryption_id)}`)
  await api.refused(404, 'DELETE', `${path}/${String(encryption_id)}`)
  await api.volume({ volume_type: 'crypt' })
  await api.refused(400, 'POST', path, { encryption })
})
