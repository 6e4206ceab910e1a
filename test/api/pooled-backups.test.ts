/** Backups that are snapshots in a pool of their volume's cluster: what is accepted, what is refused, and what is held. */
import { expect, test } from 'vitest'
import { ApiError } from '../../sdk/errors.ts'
import { runToEnd } from './end-operation.ts'
import { startApi, type TestApi } from './start-api.ts'

const MiB = 1024 * 1024

test('A full backup and an incremental one are accepted, of volumes that may be in the cluster', async () => {
  const api = await startPooledApi()
  const { client, database } = api
  const volumeId = await newVolume(api, 'ceph')
  const full = await client.createBackup({ volumeId, target: 'pool' })
  expect(full.backup).toMatchObject({ target: 'pool', format: 'rbd', incremental: false, status: 'creating' })
  await runToEnd(database, full.operation.id)
  const next = await client.createBackup({ volumeId, target: 'pool', incremental: true })
  expect(next.backup).toMatchObject({ incremental: true, parentId: full.backup?.id })
  const row = await database
    .selectFrom('operations')
    .select('spec')
    .where('id', '=', next.operation.id)
    .executeTakeFirstOrThrow()
  expect(JSON.parse(row.spec)).toMatchObject({
    keepSnapshot: true,
    parentSnapshotId: expect.any(String) as string,
  })
  const elsewhere = await newVolume(api, 'files')
  expect(await refusal(client.createBackup({ volumeId: elsewhere, target: 'pool' }))).toEqual([
    400,
    'otherCluster',
  ])
})

test('Backups of a volume are written one at a time, deleted at any time but then, and one on its way is cancelled', async () => {
  const api = await startPooledApi()
  const { client, database } = api
  const volumeId = await newVolume(api, 'ceph')
  const [one, two] = [await newBackup(api, volumeId), await newBackup(api, volumeId)]
  const running = await client.createBackup({ volumeId, target: 'pool' })
  expect(await refusal(client.createBackup({ volumeId, target: 'pool' }))).toEqual([409, 'resourceBusy'])
  expect(await refusal(client.deleteBackup(one))).toEqual([409, 'resourceBusy'])
  // In another target it is not in the way.
  await runToEnd(database, (await client.createBackup({ volumeId, target: 'disk' })).operation.id)

  const { operation: early } = await client.deleteBackup(running.backup?.id ?? '')
  expect(await client.showOperation(running.operation.id)).toMatchObject({ state: 'cancelled' })
  await runToEnd(database, early.id)
  const deletions = [await client.deleteBackup(one), await client.deleteBackup(two)]
  expect(await refusal(client.createBackup({ volumeId, target: 'pool' }))).toEqual([409, 'resourceBusy'])
  for (const { operation } of deletions) await runToEnd(database, operation.id)
  await newBackup(api, volumeId)
})

test('What only objects can do is refused, with what to do instead', async () => {
  const api = await startPooledApi()
  const { client } = api
  const volumeId = await newVolume(api, 'ceph')
  const backupId = await newBackup(api, volumeId)
  const inObjects = await newBackup(api, volumeId, 'disk')
  const requests = [
    () => client.collectTarget('pool'),
    () => client.copyBackup(backupId, { target: 'disk' }),
    () => client.copyBackup(inObjects, { target: 'pool' }),
    () => client.verifyBackup(inObjects, { healFromBackupId: backupId }),
  ]
  for (const request of requests) expect(await refusal(request())).toEqual([400, 'snapshotTarget'])
  expect(await refusal(client.verifyBackup(backupId, { level: 'quarantined' }))).toEqual([400, 'otherFormat'])
})

test('What a pool has is imported for the project of whoever asks', async () => {
  const { client, database } = await startPooledApi()
  const { operation } = await client.importTarget('pool')
  const { spec } = await database
    .selectFrom('operations')
    .select('spec')
    .where('id', '=', operation.id)
    .executeTakeFirstOrThrow()
  expect(JSON.parse(spec)).toEqual({ target: 'pool', projectId: 'default', userId: operation.userId })
})

test('A restore into the volume of the backup knows the snapshot from which it was made', async () => {
  const api = await startPooledApi()
  const { client, database } = api
  const volumeId = await newVolume(api, 'ceph')
  const backupId = await newBackup(api, volumeId)
  const specOf = async (into: string) => {
    const { operation } = await client.restoreBackup(backupId, { volumeId: into })
    const row = await database
      .selectFrom('operations')
      .select('spec')
      .where('id', '=', operation.id)
      .executeTakeFirstOrThrow()
    await runToEnd(database, operation.id)
    return JSON.parse(row.spec) as object
  }
  expect(await specOf(volumeId)).toMatchObject({ backupSnapshotId: expect.any(String) as string })
  expect(await specOf(await newVolume(api, 'ceph'))).not.toHaveProperty('backupSnapshotId')
})

function startPooledApi(): Promise<TestApi> {
  return startApi({
    places: {
      backends: ['ceph', 'files'],
      stores: ['files'],
      targets: ['disk'],
      cinderTargets: {},
      rbdTargets: ['pool'],
      rbdBackends: ['ceph'],
      keepingBackends: ['ceph'],
    },
  })
}

async function newVolume({ client, database }: TestApi, backend: string): Promise<string> {
  const { operation } = await client.createVolume({ sizeBytes: MiB, backend })
  await runToEnd(database, operation.id)
  return operation.resourceId
}

async function newBackup({ client, database }: TestApi, volumeId: string, target = 'pool'): Promise<string> {
  const { operation } = await client.createBackup({ volumeId, target })
  await runToEnd(database, operation.id)
  return operation.resourceId
}

async function refusal(request: Promise<unknown>): Promise<[number, string]> {
  const error: unknown = await request.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof ApiError) return [error.status, error.code ?? '']
  throw new Error('Expected a refusal', { cause: error })
}
