import { expect, test } from 'vitest'
import { NOWHERE, startCinder } from './cinder-api.ts'

test('A snapshot is created, listed, renamed and deleted', async () => {
  const { call, end, ok, refused, volume } = await startCinder()
  const volumeId = await volume({ size: 2 })
  const fields = { name: 's', description: 'before', metadata: { a: 'b' } }
  const created = await call('POST', '/snapshots', { snapshot: { volume_id: volumeId, ...fields } })
  expect(created).toMatchObject({
    status: 202,
    body: { snapshot: { ...fields, status: 'creating', size: 2, volume_id: volumeId } },
  })
  const { id } = created.body.snapshot as { id: string }
  expect(await ok(200, 'GET', `/snapshots/${id}`)).toMatchObject({
    snapshot: { 'os-extended-snapshot-attributes:progress': '0%' },
  })
  await end(created)
  expect(await ok(200, 'GET', `/snapshots/detail?volume_id=${volumeId}&status=available`)).toMatchObject({
    snapshots: [{ id, 'os-extended-snapshot-attributes:progress': '100%', consumes_quota: true }],
  })
  expect(await ok(200, 'GET', `/snapshots?volume_id=${NOWHERE}`)).toEqual({ snapshots: [] })
  expect(await ok(200, 'PUT', `/snapshots/${id}`, { snapshot: { name: 'n' } })).toMatchObject({
    snapshot: { name: 'n', description: 'before' },
  })
  await refused(400, 'DELETE', `/volumes/${volumeId}`)
  await end(await call('DELETE', `/snapshots/${id}`))
  await refused(404, 'GET', `/snapshots/${id}`)
})

test.for<[string, object, number]>([
  ['of no volume', {}, 400],
  ['of an unknown volume', { volume_id: NOWHERE }, 404],
  ['of a volume that is null', { volume_id: null }, 404],
  ['that is not forced since 3.66', { force: false }, 400],
  ['that is forced by halves', { force: 'half' }, 400],
  ['with metadata that are no texts', { metadata: { a: [] } }, 400],
])('A snapshot %s is refused', async ([, fields, status]) => {
  const { refused, volume, database } = await startCinder()
  const ofVolume = status === 404 || Object.keys(fields).length === 0 ? {} : { volume_id: await volume() }
  await refused(status, 'POST', '/snapshots', { snapshot: { ...ofVolume, ...fields } })
  expect(await database.selectFrom('snapshots').select('id').execute()).toEqual([])
})

test('A snapshot of a volume in use wants to be forced before 3.66', async () => {
  const { call, volume, database } = await startCinder()
  const volume_id = await volume()
  await database.updateTable('volumes').set({ status: 'in-use' }).execute()
  const take = (version: string, force?: boolean) =>
    call(
      'POST',
      '/snapshots',
      { snapshot: { volume_id, ...(force === undefined ? {} : { force }) } },
      { version },
    )
  expect(await take('3.65')).toMatchObject({ status: 400 })
  expect(await take('3.65', true)).toMatchObject({ status: 202 })
})

test('A volume from a snapshot has its size and type, or more', async () => {
  const { ok, refused, call, volume, snapshot } = await startCinder()
  const snapshot_id = await snapshot(await volume({ size: 2 }))
  await refused(400, 'POST', '/volumes', { volume: { snapshot_id, size: 1 } })
  const created = await call('POST', '/volumes', { volume: { snapshot_id } })
  expect(created.body).toMatchObject({ volume: { size: 2, snapshot_id, volume_type: '__DEFAULT__' } })
  expect(await ok(202, 'POST', '/volumes', { volume: { snapshot_id, size: 3 } })).toMatchObject({
    volume: { size: 3 },
  })
})

test('A snapshot’s status is set by administrators, and by who takes it', async () => {
  const { call, ok, volume, snapshot, refused } = await startCinder()
  const volumeId = await volume()
  const id = await snapshot(volumeId)
  const act = (name: string, params: unknown) => call('POST', `/snapshots/${id}/action`, { [name]: params })
  expect(await act('os-update_snapshot_status', { status: 'available' })).toMatchObject({ status: 400 })
  expect(await act('os-reset_status', { status: 'creating' })).toMatchObject({ status: 202 })
  expect(await act('os-update_snapshot_status', { status: 'available', progress: 'most' })).toMatchObject({
    status: 400,
  })
  expect(await act('os-update_snapshot_status', { status: 'error', progress: '80%' })).toMatchObject({
    status: 202,
  })
  expect(await ok(200, 'GET', `/snapshots/${id}`)).toMatchObject({ snapshot: { status: 'error' } })
  expect(await act('os-reset_status', { status: 'none' })).toMatchObject({ status: 400 })
  expect(await act('os-unmanage', null)).toMatchObject({ status: 400 })
  expect(await act('os-force_delete', {})).toMatchObject({ status: 202 })
  await refused(404, 'GET', `/snapshots/${NOWHERE}`)
})

test('A snapshot’s metadata are those of Cinder', async () => {
  const { ok, volume, snapshot } = await startCinder()
  const path = `/snapshots/${await snapshot(await volume(), { metadata: { a: '1' } })}/metadata`
  expect(await ok(200, 'POST', path, { metadata: { b: '2' } })).toEqual({ metadata: { a: '1', b: '2' } })
  await ok(200, 'DELETE', `${path}/a`)
  expect(await ok(200, 'GET', path)).toEqual({ metadata: { b: '2' } })
})
