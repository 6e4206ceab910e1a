import { expect, test } from 'vitest'
import { MiB, TiB } from '../../domain/sizes.ts'
import type { OperationEnd } from '../../domain/operations.ts'
import type { Operation } from '../../sdk/types.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

const NOWHERE = '00000000-0000-4000-8000-000000000000'
const FAILED: OperationEnd = { outcome: 'failed', error: { code: 'full', message: 'no space' } }

/** Accepts and ends; answers the resource's id. */
async function done(api: TestApi, started: Promise<{ operation: Operation }>, end?: OperationEnd) {
  const { operation } = await started
  await runToEnd(api.database, operation.id, end)
  return operation.resourceId
}

async function apiWithVolume(sizeBytes = 4 * MiB) {
  const api = await startApi()
  return { ...api, volumeId: await done(api, api.client.createVolume({ sizeBytes })) }
}

async function apiWithImage() {
  const api = await startApi()
  const { id } = await api.client.createImage({ diskFormat: 'raw' })
  const end: OperationEnd = { outcome: 'succeeded', result: { virtualSizeBytes: MiB } }
  await done(api, api.client.uploadImage(id, new Blob(['bytes'])), end)
  return { ...api, imageId: id }
}

test.for<[string, unknown, number, string]>([
  ['its own size', 4 * MiB, 400, 'sizeNotLarger'],
  ['a smaller size', 2 * MiB, 400, 'sizeNotLarger'],
  ['no size at all', undefined, 400, 'invalidRequest'],
  ['size 0', 0, 400, 'invalidSize'],
  ['a negative size', -MiB, 400, 'invalidSize'],
  ['an absurd size', 65 * TiB, 400, 'invalidSize'],
  ['a fraction of a MiB', 4 * MiB + 512, 400, 'invalidSize'],
  ['a size beyond exact numbers', 2 ** 60, 400, 'invalidRequest'],
  ['a size in words', '20G', 400, 'invalidRequest'],
])(
  'A volume that shall be extended to %s is refused and stays as it was',
  async ([, sizeBytes, ...refusal]) => {
    const { app, client, database, volumeId } = await apiWithVolume()
    const url = `/operations/v1/volumes/${volumeId}/extend`
    const answer = await app.inject({ method: 'POST', url, payload: { sizeBytes } })
    expect([answer.statusCode, answer.json().error.code]).toEqual(refusal)
    expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 4 * MiB })
    expect(await database.selectFrom('operations').select('id').execute()).toHaveLength(1)
  },
)

test('A volume is extending until its new size is shown, and can be tried again after a failure', async () => {
  const api = await apiWithVolume()
  const { client, volumeId, database } = api
  const extend = () => client.extendVolume(volumeId, { sizeBytes: 8 * MiB })
  const { operation, volume } = await extend()
  expect(volume).toMatchObject({ status: 'extending', sizeBytes: 4 * MiB, holderOperationId: operation.id })
  await runToEnd(database, operation.id, FAILED)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'error_extending', sizeBytes: 4 * MiB })
  await expect(client.createSnapshot({ volumeId })).rejects.toMatchObject({ code: 'invalidStatus' })
  await done(api, extend(), { outcome: 'succeeded', result: { sizeBytes: 8 * MiB } })
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 8 * MiB })
})

test('A volume in use is not extended, and one that is backed up names the backup', async () => {
  const { client, database, volumeId } = await apiWithVolume()
  const { operation } = await client.createBackup({ volumeId })
  await expect(client.extendVolume(volumeId, { sizeBytes: 8 * MiB })).rejects.toMatchObject({
    ...{ status: 409, code: 'resourceBusy', holderOperationId: operation.id },
  })
  await runToEnd(database, operation.id)
  await runToEnd(database, (await client.attachVolume(volumeId, {})).operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use' })
  await expect(client.extendVolume(volumeId, { sizeBytes: 8 * MiB })).rejects.toMatchObject({
    ...{ status: 409, code: 'volumeInUse' },
  })
})

test('An extension that is cancelled while it is pending leaves the volume as it was', async () => {
  const { client, volumeId } = await apiWithVolume()
  const { operation } = await client.extendVolume(volumeId, { sizeBytes: 8 * MiB })
  await client.cancelOperation(operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available', sizeBytes: 4 * MiB })
})

test('A clone is as large as its source, inherits what that was made from, and may be larger but not smaller', async () => {
  const { client, database, imageId } = await apiWithImage()
  const source = await client.createVolume({ imageId })
  await runToEnd(database, source.operation.id)
  const sourceVolumeId = source.operation.resourceId
  const { volume, operation } = await client.createVolume({ sourceVolumeId, name: 'clone' })
  expect(operation).toMatchObject({ kind: 'clone-volume' })
  expect(volume).toMatchObject({ sourceVolumeId, sizeBytes: MiB, bootable: true, status: 'creating' })
  expect(volume?.volumeImageMetadata).toMatchObject({ image_id: imageId })
  expect((await client.createVolume({ sourceVolumeId, sizeBytes: 2 * MiB })).volume?.sizeBytes).toBe(2 * MiB)
  const artifacts = await database.selectFrom('artifacts').selectAll().execute()
  expect(artifacts.map(({ kind, purpose, parentId }) => [kind, purpose, parentId])).toEqual([
    ['snapshot', 'temporary', sourceVolumeId],
    ['volume', 'result', null],
    ['snapshot', 'temporary', sourceVolumeId],
    ['volume', 'result', null],
  ])
  await expect(client.createVolume({ sourceVolumeId, backend: 'elsewhere' })).rejects.toMatchObject({
    status: 400,
    code: 'unknownPlace',
  })
})

test('A clone smaller than its source is refused', async () => {
  const { client, volumeId } = await apiWithVolume()
  const small = client.createVolume({ sourceVolumeId: volumeId, sizeBytes: MiB })
  await expect(small).rejects.toMatchObject({ status: 400, code: 'volumeTooSmall' })
})

test('The source of a running clone is not deleted, but snapshotted', async () => {
  const { client, volumeId } = await apiWithVolume()
  const { operation } = await client.createVolume({ sourceVolumeId: volumeId })
  await expect(client.deleteVolume(volumeId)).rejects.toMatchObject({
    ...{ status: 409, code: 'resourceBusy', holderOperationId: operation.id },
  })
  expect((await client.createSnapshot({ volumeId })).operation.state).toBe('pending')
})

test('A volume that is flattened looks as before, and nobody else works with it', async () => {
  const { client, database, volumeId } = await apiWithVolume()
  const { operation, volume } = await client.flattenVolume(volumeId)
  expect(operation).toMatchObject({ kind: 'flatten-volume', resourceId: volumeId })
  expect(volume).toMatchObject({ status: 'available', holderOperationId: operation.id })
  for (const refused of [() => client.createSnapshot({ volumeId }), () => client.flattenVolume(volumeId)])
    await expect(refused()).rejects.toMatchObject({ status: 409, holderOperationId: operation.id })
  await runToEnd(database, operation.id, FAILED)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  await expect(client.flattenVolume(NOWHERE)).rejects.toMatchObject({ status: 404 })
})

test('A volume that could not be managed is deleted without the bytes of others', async () => {
  const { client, database } = await startApi()
  const { operation, volume } = await client.manageVolume({ backend: 'local', sourceName: 'disk' })
  await runToEnd(database, operation.id, FAILED)
  const id = volume?.id ?? ''
  expect(await client.showVolume(id)).toMatchObject({ status: 'error_managing' })
  const deletion = await client.deleteVolume(id)
  const { spec } = await database
    .selectFrom('operations')
    .select('spec')
    .where('id', '=', deletion.operation.id)
    .executeTakeFirstOrThrow()
  expect(JSON.parse(spec)).toMatchObject({ volumeId: id, givesBack: true })
})

test('A volume in use is flattened only where its guest is known', async () => {
  const { client, database, volumeId } = await apiWithVolume()
  await runToEnd(database, (await client.attachVolume(volumeId, {})).operation.id)
  const refused = client.flattenVolume(volumeId)
  await expect(refused).rejects.toMatchObject({ status: 409, code: 'volumeInUse' })
  await runToEnd(database, (await client.detachVolume(volumeId)).operation.id)
  await runToEnd(database, (await client.attachVolume(volumeId, { guest: 'vm' })).operation.id)
  await runToEnd(database, (await client.flattenVolume(volumeId)).operation.id)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'in-use' })
})

test('A volume returns to its most recent snapshot only, and shows that it does', async () => {
  const api = await apiWithVolume()
  const { client, volumeId, database } = api
  const early = await done(api, client.createSnapshot({ volumeId }))
  await new Promise((resolve) => setTimeout(resolve, 2))
  const late = await done(api, client.createSnapshot({ volumeId }))
  await expect(client.revertVolume(volumeId, { snapshotId: early })).rejects.toMatchObject({
    ...{ status: 400, code: 'notLatestSnapshot', message: expect.stringContaining(late) as string },
  })
  const { operation, volume } = await client.revertVolume(volumeId, { snapshotId: late })
  expect(volume).toMatchObject({ status: 'reverting', holderOperationId: operation.id })
  expect(await client.showSnapshot(late)).toMatchObject({ status: 'restoring' })
  await expect(client.createVolume({ snapshotId: late })).rejects.toMatchObject({
    ...{ status: 409, holderOperationId: operation.id },
  })
  await runToEnd(database, operation.id, FAILED)
  expect(await client.showVolume(volumeId)).toMatchObject({ status: 'available' })
  expect(await client.showSnapshot(late)).toMatchObject({ status: 'available' })
  await done(api, client.deleteSnapshot(late))
  await done(api, client.revertVolume(volumeId, { snapshotId: early }))
  expect(await client.showSnapshot(early)).toMatchObject({ status: 'available' })
})

test('A volume does not revert to what is not its snapshot', async () => {
  const api = await apiWithVolume()
  const { client, volumeId } = api
  const other = await done(api, client.createVolume({ sizeBytes: MiB }))
  const snapshotId = await done(api, client.createSnapshot({ volumeId: other }))
  for (const [id, refusal] of [
    [snapshotId, { status: 400, code: 'snapshotOfOtherVolume' }],
    [NOWHERE, { status: 404, code: 'snapshotNotFound' }],
    ['x'.repeat(65), { status: 400, code: 'invalidRequest' }],
  ] as const) {
    await expect(client.revertVolume(volumeId, { snapshotId: id })).rejects.toMatchObject(refusal)
  }
  await expect(client.revertVolume(NOWHERE, { snapshotId })).rejects.toMatchObject({ status: 404 })
})

test('A deleted image is gone, with or without bytes, and no source of anything', async () => {
  const api = await apiWithImage()
  const { client, imageId } = api
  const queued = await client.createImage({ diskFormat: 'raw' })
  await done(api, client.deleteImage(queued.id))
  const { operation } = await client.deleteImage(imageId)
  expect(await client.showImage(imageId)).toMatchObject({ status: 'pending_delete' })
  await expect(client.createVolume({ imageId })).rejects.toMatchObject({
    ...{ status: 409, code: 'resourceBusy', holderOperationId: operation.id },
  })
  await runToEnd(api.database, operation.id, FAILED)
  expect(await client.showImage(imageId)).toMatchObject({ status: 'pending_delete' })
  await expect(client.createVolume({ imageId })).rejects.toMatchObject({ code: 'invalidStatus' })
  await done(api, client.deleteImage(imageId))
  expect((await client.listImages()).items).toEqual([])
  await expect(client.createVolume({ imageId })).rejects.toMatchObject({ status: 404 })
})

test('An image is not deleted while it is protected, read or being received', async () => {
  const { client, database, imageId } = await apiWithImage()
  await database.updateTable('images').set({ protected: 1 }).execute()
  await expect(client.deleteImage(imageId)).rejects.toMatchObject({ status: 403, code: 'imageProtected' })
  await database.updateTable('images').set({ protected: 0 }).execute()
  const { operation } = await client.createVolume({ imageId })
  await expect(client.deleteImage(imageId)).rejects.toMatchObject({
    ...{ status: 409, code: 'resourceBusy', holderOperationId: operation.id },
  })
  await runToEnd(database, operation.id)
  await database.updateTable('images').set({ status: 'saving' }).execute()
  await expect(client.deleteImage(imageId)).rejects.toMatchObject({ status: 409, code: 'invalidStatus' })
})
