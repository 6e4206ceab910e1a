import { expect, test } from 'vitest'
import { GiB } from '../../../domain/sizes.ts'
import { runToEnd } from '../end-operation.ts'
import { NOWHERE, startCinder } from './cinder-api.ts'

const HERE = { host: 'volflow@local#local' }
const SOURCE = { 'source-name': 'disk-1' }

test.each(['/os-volume-manage', '/manageable_volumes'])(
  'What is in a backend already becomes a volume (%s)',
  async (path) => {
    const api = await startCinder()
    const described = { name: 'n', description: 'd', metadata: { a: 'b' }, bootable: true }
    const managed = await api.call('POST', path, { volume: { ...HERE, ref: SOURCE, ...described } })
    expect(managed).toMatchObject({
      status: 202,
      body: {
        volume: {
          ...{ status: 'managing', size: 0, name: 'n', description: 'd', metadata: { a: 'b' } },
          ...{ bootable: 'true', 'os-vol-host-attr:host': 'volflow@local#local', volume_type: '__DEFAULT__' },
        },
      },
    })
    const { id } = managed.body.volume as { id: string }
    await api.end(managed, { outcome: 'succeeded', result: { sizeBytes: 3 * GiB } })
    expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({
      volume: { status: 'available', size: 3 },
    })
    await api.refused(400, 'POST', path, { volume: { ...HERE, ref: { 'source-name': `volume-${id}` } } })
    expect(await api.ok(200, 'GET', path)).toEqual({ 'manageable-volumes': [] })
    expect(await api.ok(200, 'GET', `${path}/detail?host=x`)).toEqual({ 'manageable-volumes': [] })
  },
)

test('What cannot be managed is refused, and nothing is made', async () => {
  const api = await startCinder()
  for (const [status, volume] of [
    [404, { ref: SOURCE }],
    [404, { host: 'volflow@elsewhere', ref: SOURCE }],
    [404, { ...HERE, ref: SOURCE, volume_type: NOWHERE }],
    [400, { ...HERE }],
    [400, { ...HERE, ref: 'disk-1' }],
    [400, { ...HERE, ref: {} }],
    [400, { ...HERE, ref: { 'source-id': NOWHERE } }],
    [400, { ...HERE, ref: { 'source-name': '' } }],
    [400, { ...HERE, ref: SOURCE, bootable: 'perhaps' }],
    [400, { ...HERE, ref: SOURCE, unknown: 1 }],
  ] as const)
    await api.refused(status, 'POST', '/manageable_volumes', { volume })
  await api.refused(
    404,
    'POST',
    '/manageable_volumes',
    { volume: { ...HERE, ref: SOURCE } },
    { version: '3.7' },
  )
  expect(await api.ok(200, 'GET', '/volumes')).toEqual({ volumes: [] })
})

test('What an operation is making beside a volume is not to be had', async () => {
  const api = await startCinder()
  const { id: imageId } = await api.client.createImage({ diskFormat: 'raw' })
  await api.database
    .updateTable('images')
    .set({ status: 'active', sizeBytes: GiB, virtualSizeBytes: GiB })
    .where('id', '=', imageId)
    .execute()
  const created = await api.client.createVolume({ sizeBytes: GiB })
  await runToEnd(api.database, created.operation.id)
  const volumeId = created.operation.resourceId
  const { operation } = await api.client.reimageVolume(volumeId, { imageId })
  const { id } = await api.database
    .selectFrom('artifacts')
    .select('id')
    .where('operationId', '=', operation.id)
    .executeTakeFirstOrThrow()
  const refs = { ref: { 'source-name': `volume-${id}` } }
  await api.refused(400, 'POST', '/os-volume-manage', { volume: { ...HERE, ...refs } })
})

test('One that failed is error_managing, and can be deleted', async () => {
  const api = await startCinder()
  const managed = await api.call('POST', '/os-volume-manage', { volume: { ...HERE, ref: SOURCE } })
  const { id } = managed.body.volume as { id: string }
  await api.end(managed, { outcome: 'failed', error: { code: 'notFound', message: 'no disk-1' } })
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({ volume: { status: 'error_managing' } })
  await api.ok(202, 'DELETE', `/volumes/${id}`)
})

test('A volume is given up, unless it has snapshots or is held', async () => {
  const api = await startCinder()
  const id = await api.volume()
  const unmanage = (volumeId: string) =>
    api.call('POST', `/volumes/${volumeId}/action`, { 'os-unmanage': null })
  expect(await unmanage(NOWHERE)).toMatchObject({ status: 404 })
  const snapshotted = await api.volume()
  await api.snapshot(snapshotted)
  expect(await unmanage(snapshotted)).toMatchObject({ status: 400 })
  const given = await unmanage(id)
  expect(given).toMatchObject({ status: 202 })
  expect(await api.ok(200, 'GET', `/volumes/${id}`)).toMatchObject({ volume: { status: 'unmanaging' } })
  expect(await unmanage(id)).toMatchObject({ status: 400 })
  await api.end(given, { outcome: 'succeeded', result: { sourceName: `${id}.raw` } })
  await api.refused(404, 'GET', `/volumes/${id}`)
})
