import { expect, test } from 'vitest'
import type { OperationEnd } from '../../../domain/operations.ts'
import { GiB } from '../../../domain/sizes.ts'
import { runToEnd } from '../end-operation.ts'
import { type CinderApi, NOWHERE, startCinder } from './cinder-api.ts'

const act = (api: CinderApi, id: string, name: string, params: unknown, version = '3.71') =>
  api.call('POST', `/volumes/${id}/action`, { [name]: params }, { version })

const shown = async (api: CinderApi, id: string) =>
  (await api.ok(200, 'GET', `/volumes/${id}`)).volume as Record<string, unknown>

async function withImage(api: CinderApi): Promise<string> {
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const { operation } = await api.client.uploadImage(id, new Blob(['bytes']))
  await runToEnd(api.database, operation.id, { outcome: 'succeeded', result: { virtualSizeBytes: 512 } })
  await api.database.updateTable('images').set({ projectId: 'p1' }).where('id', '=', id).execute()
  return id
}

test('A volume is extended by GiB, and no smaller size is taken', async () => {
  const api = await startCinder()
  const id = await api.volume()
  for (const new_size of [1, 0, -1, 'much', null, 70_000])
    expect((await act(api, id, 'os-extend', { new_size })).status, String(new_size)).toBe(400)
  const extended = await act(api, id, 'os-extend', { new_size: 3 })
  expect(extended).toMatchObject({ status: 202 })
  expect(await shown(api, id)).toMatchObject({ status: 'extending', size: 1 })
  await api.end(extended, { outcome: 'succeeded', result: { sizeBytes: 3 * GiB } })
  expect(await shown(api, id)).toMatchObject({ status: 'available', size: 3 })
})

test('A volume in use is extended since 3.42', async () => {
  const api = await startCinder()
  const id = await api.volume()
  await api.database
    .insertInto('attachments')
    .values({ id: NOWHERE, projectId: 'p1', userId: 'u', volumeId: id, guest: 'vm', createdAt: '2026' })
    .execute()
  await api.database.updateTable('volumes').set({ status: 'in-use' }).execute()
  expect(await act(api, id, 'os-extend', { new_size: 2 }, '3.41')).toMatchObject({ status: 400 })
  expect(await act(api, id, 'os-extend', { new_size: 2 }, '3.42')).toMatchObject({ status: 202 })
})

test('A volume returns to its latest snapshot alone', async () => {
  const api = await startCinder()
  const id = await api.volume()
  const [first, last] = [await api.snapshot(id), await api.snapshot(id)]
  expect(await act(api, id, 'revert', { snapshot_id: last }, '3.39')).toMatchObject({ status: 400 })
  expect(await act(api, id, 'revert', { snapshot_id: first })).toMatchObject({ status: 400 })
  expect(await act(api, id, 'revert', { snapshot_id: NOWHERE })).toMatchObject({ status: 404 })
  const reverted = await act(api, id, 'revert', { snapshot_id: last })
  expect(reverted).toMatchObject({ status: 202 })
  expect(await shown(api, id)).toMatchObject({ status: 'reverting' })
  expect(await act(api, id, 'revert', { snapshot_id: last })).toMatchObject({ status: 409 })
})

test('A volume becomes an image, which is told at once', async () => {
  const api = await startCinder()
  const id = await api.volume()
  const upload = (params: object) => act(api, id, 'os-volume_upload_image', { image_name: 'i', ...params })
  expect(await upload({ disk_format: 'vmdk' })).toMatchObject({ status: 400 })
  expect(await upload({ container_format: 'ova' })).toMatchObject({ status: 400 })
  expect(await upload({ protected: 'maybe' })).toMatchObject({ status: 400 })
  const uploaded = await upload({
    disk_format: 'qcow2',
    visibility: 'public',
    protected: true,
    force: 'True',
  })
  expect(uploaded).toMatchObject({
    status: 202,
    body: { 'os-volume_upload_image': { id, status: 'uploading', disk_format: 'qcow2', size: 1 } },
  })
  const image = await api.database.selectFrom('images').selectAll().executeTakeFirstOrThrow()
  expect(image).toMatchObject({ name: 'i', protected: 1, visibility: 'public', status: 'saving' })
  expect(await shown(api, id)).toMatchObject({ status: 'uploading' })
})

test('A volume gets an image’s bytes and is told apart by its image metadata', async () => {
  const api = await startCinder()
  const imageId = await withImage(api)
  const properties = JSON.stringify({ hw_disk_bus: 'scsi', image_id: 'of a liar' })
  await api.database.updateTable('images').set({ metadata: properties }).execute()
  const id = await api.volume({ imageRef: imageId })
  expect(await shown(api, id)).toMatchObject({
    bootable: 'true',
    volume_image_metadata: { image_id: imageId, hw_disk_bus: 'scsi' },
  })
  const set = await act(api, id, 'os-set_image_metadata', { metadata: { os_distro: 'debian' } })
  expect(set).toMatchObject({ status: 200, body: { metadata: { os_distro: 'debian' } } })
  expect(await act(api, id, 'os-show_image_metadata', null)).toMatchObject({
    body: { metadata: { os_distro: 'debian', image_id: imageId } },
  })
  expect(await act(api, id, 'os-unset_image_metadata', { key: 'os_distro' })).toMatchObject({ status: 200 })
  expect(await act(api, id, 'os-unset_image_metadata', { key: 'os_distro' })).toMatchObject({ status: 404 })
  const reimage = () => act(api, id, 'os-reimage', { image_id: imageId, reimage_reserved: false })
  expect(await act(api, id, 'os-reimage', { image_id: NOWHERE })).toMatchObject({ status: 404 })
  expect(await reimage()).toMatchObject({ status: 202 })
  expect(await shown(api, id)).toMatchObject({ status: 'downloading' })
  expect(await reimage()).toMatchObject({ status: 400 })
})

test('An image may name the type of its volumes', async () => {
  const api = await startCinder()
  const imageId = await withImage(api)
  await api.ok(200, 'POST', '/types', { volume_type: { name: 'of-images' } })
  const name = (value: string) =>
    api.database.updateTable('images').set({ metadata: JSON.stringify({ cinder_img_volume_type: value }) })
  await name('of-images').execute()
  const id = await api.volume({ imageRef: imageId })
  expect(await shown(api, id)).toMatchObject({ volume_type: 'of-images' })
  const other = await api.volume({ imageRef: imageId, volume_type: '__DEFAULT__' })
  expect(await shown(api, other)).toMatchObject({ volume_type: '__DEFAULT__' })
  await name('nowhere').execute()
  await api.refused(404, 'POST', '/volumes', { volume: { size: 1, imageRef: imageId } })
})

test('Flags are set in the words that Python’s clients use', async () => {
  const api = await startCinder()
  const id = await api.volume()
  expect(await act(api, id, 'os-set_bootable', { bootable: 'True' })).toMatchObject({ status: 200 })
  expect(await act(api, id, 'os-update_readonly_flag', { readonly: true })).toMatchObject({ status: 202 })
  expect(await shown(api, id)).toMatchObject({ bootable: 'true', metadata: { readonly: 'True' } })
  expect(await act(api, id, 'os-set_bootable', { bootable: 'perhaps' })).toMatchObject({ status: 400 })
})

test('A reset ends what holds the volume, which then has no say', async () => {
  const api = await startCinder()
  const created = await api.call('POST', '/volumes', { volume: { size: 1 } })
  const { id } = created.body.volume as { id: string }
  expect(await act(api, id, 'os-reset_status', { status: 'error' })).toMatchObject({ status: 202 })
  expect(await shown(api, id)).toMatchObject({ status: 'error' })
  const operation = await api.client
    .showOperation(created.headers.get('operation-id') ?? '')
    .catch(() => null)
  expect(operation).toBeNull()
  await api.end(created)
  expect(await shown(api, id)).toMatchObject({ status: 'error' })
  for (const [params, status] of [
    [{ status: 'reserved', migration_status: 'migrating' }, 202],
    [{ status: 'no-such' }, 400],
    [{ status: 'deleting' }, 400],
    [{ status: 'in-use' }, 400],
    [{}, 400],
  ] as const)
    expect(await act(api, id, 'os-reset_status', params)).toMatchObject({ status })
  expect(await shown(api, id)).toMatchObject({ status: 'reserved', migration_status: 'migrating' })
  expect(await api.call('DELETE', `/volumes/${id}`)).toMatchObject({ status: 400 })
  expect(await act(api, id, 'os-extend', { new_size: 2 })).toMatchObject({ status: 400 })
  const reserved = await api.ok(200, 'GET', '/volumes?status=reserved')
  expect(reserved).toMatchObject({ volumes: [{ id }] })
  expect(await api.ok(200, 'GET', '/volumes?status=available')).toEqual({ volumes: [] })
})

test('A forced deletion waits until the volume’s holder has let go', async () => {
  const api = await startCinder({ abandon: async ({ operationId }) => void abandoned(operationId) })
  const ended: OperationEnd = { outcome: 'failed', error: { code: 'abandoned', message: 'given up' } }
  const abandoned = (operationId: string) =>
    setTimeout(() => void runToEnd(api.database, operationId, ended), 50)
  const id = await api.volume()
  expect(await act(api, id, 'os-extend', { new_size: 2 })).toMatchObject({ status: 202 })
  for (const nothing of [null, {}, '']) {
    const other = await api.volume()
    expect(await act(api, other, 'os-force_delete', nothing)).toMatchObject({ status: 202 })
  }
  const forced = await act(api, id, 'os-force_delete', null)
  expect(forced).toMatchObject({ status: 202 })
  await api.end(forced)
  await api.refused(404, 'GET', `/volumes/${id}`)
})

test('Actions that do not exist, or that our backends do not have, are refused', async () => {
  const api = await startCinder()
  const id = await api.volume()
  for (const [name, params, status] of [
    ['os-dance', {}, 400],
    ['os-migrate_volume', { host: 'elsewhere@x#y' }, 400],
    ['os-migrate_volume', { host: 'volflow@local#local' }, 400],
    ['os-migrate_volume_completion', { new_volume: NOWHERE }, 404],
    ['os-migrate_volume_completion', { new_volume: id }, 400],
    ['os-extend_volume_completion', { error: false }, 400],
  ] as const)
    expect(await act(api, id, name, params), name).toMatchObject({ status })
  await api.refused(400, 'POST', `/volumes/${id}/action`, {})
  await api.refused(400, 'POST', `/volumes/${id}/action`, { 'os-extend': { new_size: 2 }, revert: {} })
  expect(await act(api, NOWHERE, 'os-extend', { new_size: 2 })).toMatchObject({ status: 404 })
})
