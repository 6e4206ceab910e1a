import { expect, test } from 'vitest'
import { MiB } from '../../domain/sizes.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'

async function availableVolume({ client, database }: TestApi, sizeBytes = 4 * MiB): Promise<string> {
  const { operation } = await client.createVolume({ sizeBytes })
  await runToEnd(database, operation.id)
  return operation.resourceId
}

async function refusal(api: TestApi, path: string, payload: unknown) {
  const before = await api.database.selectFrom('operations').select('id').execute()
  const answer = await api.app.inject({
    method: 'POST',
    url: `/operations/v1${path}`,
    headers: { 'content-type': 'application/json' },
    payload: JSON.stringify(payload),
  })
  expect(await api.database.selectFrom('operations').select('id').execute()).toEqual(before)
  expect(await api.database.selectFrom('operationResources').select('operationId').execute()).toEqual([])
  expect(await api.database.selectFrom('artifacts').select('operationId').execute()).toEqual([])
  return { status: answer.statusCode, code: answer.json().error.code }
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
