import { expect, test } from 'vitest'
import { listArtifacts } from '../../database/operations/artifacts.ts'
import { beginOperation } from '../../database/operations/begin.ts'
import { switchBackend } from '../../database/operations/switch-backend.ts'
import { MiB } from '../../domain/sizes.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function availableVolume({ client, database }: TestApi, sizeBytes = 4 * MiB): Promise<string> {
  const { operation } = await client.createVolume({ sizeBytes })
  await runToEnd(database, operation.id)
  return operation.resourceId
}

/** The answer to a request that is refused: nothing came of it. */
async function refusal(api: TestApi, path: string, payload: unknown) {
  const before = await everythingOf(api)
  const answer = await api.app.inject({
    method: 'POST',
    url: `/operations/v1${path}`,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(payload),
  })
  expect(await everythingOf(api)).toEqual(before)
  return { status: answer.statusCode, code: answer.json().error.code }
}

async function everythingOf({ database }: TestApi) {
  const tables = ['operations', 'operationResources', 'artifacts', 'volumes', 'images'] as const
  return Promise.all(tables.map((table) => database.selectFrom(table).selectAll().execute()))
}

test.for<[string, unknown, number, string]>([
  ['no format', {}, 400, 'invalidRequest'],
  ['an unknown format', { diskFormat: 'vmdk' }, 400, 'invalidRequest'],
  ['an unknown field', { diskFormat: 'raw', force: true }, 400, 'invalidRequest'],
  ['an empty name', { diskFormat: 'raw', name: '' }, 400, 'invalidRequest'],
  ['an unknown store', { diskFormat: 'raw', store: '../etc' }, 400, 'unknownPlace'],
])('An image of a volume with %s is refused, and there is no image', async ([, payload, status, code]) => {
  const api = await startApi()
  const volumeId = await availableVolume(api)
  expect(await refusal(api, `/volumes/${volumeId}/upload-image`, payload)).toEqual({ status, code })
  expect((await api.client.listImages()).items).toEqual([])
})

test('An image is made of a volume that exists and is available, and of no other', async () => {
  const api = await startApi()
  const payload = { diskFormat: 'raw' }
  const missing = await refusal(api, `/volumes/${NOWHERE}/upload-image`, payload)
  expect(missing).toEqual({ status: 404, code: 'volumeNotFound' })
  const volumeId = await availableVolume(api)
  await api.database.updateTable('volumes').set({ status: 'error' }).execute()
  const broken = await refusal(api, `/volumes/${volumeId}/upload-image`, payload)
  expect(broken).toEqual({ status: 409, code: 'invalidStatus' })
  expect((await api.client.listImages()).items).toEqual([])
})

test('A volume that becomes an image is uploading; then the image has its sizes and hashes, or is gone', async () => {
  const api = await startApi()
  const { client, database } = api
  const volumeId = await availableVolume(api)
  const failing = await client.uploadVolume(volumeId, { diskFormat: 'raw' })
  expect(failing.image).toMatchObject({ status: 'saving', sizeBytes: null })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'uploading' })
  await runToEnd(database, failing.operation.id, { outcome: 'failed', error: { code: 'full', message: 'x' } })
  expect((await client.listImages()).items).toEqual([])
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })

  const { operation } = await client.uploadVolume(volumeId, { diskFormat: 'qcow2' })
  const result = { sizeBytes: 300, virtualSizeBytes: 4 * MiB, md5: 'a'.repeat(32), sha512: 'b'.repeat(128) }
  await runToEnd(database, operation.id, { outcome: 'succeeded', result })
  expect(await client.showImage(operation.resourceId)).toMatchObject({
    status: 'active',
    sizeBytes: 300,
    virtualSizeBytes: 4 * MiB,
    checksum: result.md5,
    osHashAlgo: 'sha512',
    osHashValue: result.sha512,
  })
})

const BACKENDS = {
  places: { backends: ['local', 'other'], stores: ['files'], targets: ['disk'], cinderTargets: {} },
}

async function backupOf({ client, database }: TestApi, volumeId: string): Promise<string> {
  const { operation } = await client.createBackup({ volumeId })
  await runToEnd(database, operation.id)
  return operation.resourceId
}

async function activeImage({ client, database }: TestApi, virtualSizeBytes: number): Promise<string> {
  const { id } = await client.createImage({ diskFormat: 'qcow2', name: 'golden' })
  const { operation } = await client.uploadImage(id, new Blob(['bytes']))
  await runToEnd(database, operation.id, { outcome: 'succeeded', result: { virtualSizeBytes } })
  return id
}

test('A backup is restored into a volume that is large enough, exists and is available, and into no other', async () => {
  const api = await startApi()
  const { client, database } = api
  const origin = await availableVolume(api)
  const path = `/backups/${await backupOf(api, origin)}/restore`
  const small = await availableVolume(api, 2 * MiB)
  const refused = (payload: unknown) => refusal(api, path, payload)
  expect(await refused({})).toEqual({ status: 400, code: 'invalidRequest' })
  expect(await refused({ volumeId: origin, sizeBytes: MiB })).toEqual({ status: 400, code: 'invalidRequest' })
  expect(await refused({ volumeId: NOWHERE })).toEqual({ status: 404, code: 'volumeNotFound' })
  expect(await refused({ volumeId: small })).toEqual({ status: 400, code: 'volumeTooSmall' })
  expect(await refusal(api, `/backups/${NOWHERE}/restore`, { volumeId: origin })).toEqual({
    status: 404,
    code: 'backupNotFound',
  })
  await database.updateTable('volumes').set({ status: 'in-use' }).where('id', '=', origin).execute()
  expect(await refused({ volumeId: origin })).toEqual({ status: 409, code: 'volumeInUse' })
  expect(await client.showVolume(small)).toMatchObject({ status: 'available' })
})

test('A volume that is restored into is restoring-backup, and afterwards as before', async () => {
  const api = await startApi()
  const { client } = api
  const volumeId = await availableVolume(api)
  const backupId = await backupOf(api, volumeId)
  const { volume, operation } = await client.restoreBackup(backupId, { volumeId })
  expect(volume).toMatchObject({ id: volumeId, status: 'restoring-backup' })
  expect(await client.showBackup(backupId)).toMatchObject({ status: 'restoring' })
  await expect(client.restoreBackup(backupId, { volumeId })).rejects.toMatchObject({ status: 409 })
  await client.cancelOperation(operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  expect(await client.showBackup(backupId)).toMatchObject({ status: 'available' })
})

test('A volume gets the bytes of an image that is active and fits, and then says which', async () => {
  const api = await startApi()
  const { client, database } = api
  const volumeId = await availableVolume(api)
  const path = `/volumes/${volumeId}/reimage`
  const { id: queued } = await client.createImage({ diskFormat: 'raw' })
  const large = await activeImage(api, 5 * MiB)
  const imageId = await activeImage(api, 2 * MiB)
  expect(await refusal(api, path, {})).toEqual({ status: 400, code: 'invalidRequest' })
  expect(await refusal(api, path, { imageId: NOWHERE })).toEqual({ status: 404, code: 'imageNotFound' })
  expect(await refusal(api, path, { imageId: queued })).toEqual({ status: 409, code: 'invalidStatus' })
  expect(await refusal(api, path, { imageId: large })).toEqual({ status: 400, code: 'volumeTooSmall' })
  const missing = await refusal(api, `/volumes/${NOWHERE}/reimage`, { imageId })
  expect(missing).toEqual({ status: 404, code: 'volumeNotFound' })

  const failing = await client.reimageVolume(volumeId, { imageId })
  expect(failing.volume).toMatchObject({ status: 'downloading', imageId: null })
  await runToEnd(database, failing.operation.id, { outcome: 'failed', error: { code: 'full', message: 'x' } })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', imageId: null })
  const { operation } = await client.reimageVolume(volumeId, { imageId })
  await runToEnd(database, operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({
    status: 'available',
    imageId,
    bootable: true,
    volumeImageMetadata: { image_id: imageId, image_name: 'golden' },
  })
})

test('A volume moves to another backend that is configured, without snapshots and without remains there', async () => {
  const api = await startApi(BACKENDS)
  const { client, database } = api
  const volumeId = await availableVolume(api)
  const refused = (payload: unknown) => refusal(api, `/volumes/${volumeId}/migrate`, payload)
  expect(await refused({})).toEqual({ status: 400, code: 'invalidRequest' })
  expect(await refused({ backend: '../etc' })).toEqual({ status: 400, code: 'unknownPlace' })
  expect(await refused({ backend: 'local' })).toEqual({ status: 400, code: 'sameBackend' })
  const missing = await refusal(api, `/volumes/${NOWHERE}/migrate`, { backend: 'other' })
  expect(missing).toEqual({ status: 404, code: 'volumeNotFound' })
  const snapshot = await client.createSnapshot({ volumeId })
  await runToEnd(database, snapshot.operation.id)
  expect(await refused({ backend: 'other' })).toEqual({ status: 409, code: 'volumeHasSnapshots' })
  const deleted = await client.deleteSnapshot(snapshot.operation.resourceId)
  await runToEnd(database, deleted.operation.id)

  const { operation } = await client.migrateVolume(volumeId, { backend: 'other' })
  await beginOperation(database, operation.id)
  for (let time = 0; time < 2; time += 1) await switchBackend(database, operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'maintenance', backend: 'other' })
  expect(await listArtifacts(database, operation.id, 'all')).toMatchObject([
    { kind: 'volume', place: 'local', id: volumeId, purpose: 'temporary' },
  ])
  await runToEnd(database, operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', backend: 'other' })
  await expect(client.migrateVolume(volumeId, { backend: 'local' })).rejects.toMatchObject({
    status: 409,
    code: 'remainsInBackend',
  })
})
