import { expect, test } from 'vitest'
import { decodeOwnRecord, encodeOwnRecord } from '../../../domain/backup-record.ts'
import { encodeRecord } from '../../../domain/cinder-record.ts'
import { newLocation } from '../../../domain/cinder-names.ts'
import { enterBackup } from '../../../database/operations/enter-backup.ts'
import { runToEnd } from '../end-operation.ts'
import { type CinderApi, NOWHERE, startCinder } from './cinder-api.ts'

async function backupOf(api: CinderApi, volume_id: string, fields: object = {}): Promise<string> {
  const answer = await api.call('POST', '/backups', { backup: { volume_id, ...fields } })
  expect(answer).toMatchObject({ status: 202 })
  await api.end(answer, { outcome: 'succeeded', result: { objectCount: 2, storedBytes: 9 } })
  return (answer.body.backup as { id: string }).id
}

test('A backup is made, shown, renamed and deleted', async () => {
  const api = await startCinder()
  const volume_id = await api.volume({ size: 2 })
  const fields = { name: 'b', description: 'd', metadata: { a: 'b' }, container: null, snapshot_id: null }
  const answer = await api.call('POST', '/backups', { backup: { volume_id, ...fields } })
  const { backup } = answer.body as { backup: { id: string } }
  expect(Object.keys(backup)).toEqual(['id', 'name', 'links'])
  expect(await api.ok(200, 'GET', `/volumes/${volume_id}`)).toMatchObject({
    volume: { status: 'backing-up' },
  })
  await api.end(answer, { outcome: 'succeeded', result: { objectCount: 3, storedBytes: 9 } })
  expect(await api.ok(200, 'GET', `/backups/${backup.id}`)).toMatchObject({
    backup: {
      ...{ id: backup.id, name: 'b', description: 'd', metadata: { a: 'b' }, status: 'available', size: 2 },
      ...{ volume_id, container: 'disk', object_count: 3, is_incremental: false, fail_reason: null },
      'os-backup-project-attr:project_id': 'p1',
    },
  })
  const renamed = { name: 'n', metadata: { c: 'd' } }
  expect(await api.ok(200, 'PUT', `/backups/${backup.id}`, { backup: renamed })).toMatchObject({
    backup: { name: 'n' },
  })
  expect(
    await api.ok(200, 'GET', `/backups/detail?name=n&with_count=True&volume_id=${volume_id}`),
  ).toMatchObject({
    backups: [{ description: 'd', metadata: { c: 'd' } }],
    count: 1,
  })
  // The older word, which cinderclient sends when it sorts by name.
  await api.ok(200, 'GET', '/backups/detail?sort=display_name:asc')
  await api.end(await api.call('DELETE', `/backups/${backup.id}`))
  await api.refused(404, 'GET', `/backups/${backup.id}`)
})

test('An incremental backup wants a parent, and names it', async () => {
  const api = await startCinder()
  const volume_id = await api.volume()
  await api.refused(400, 'POST', '/backups', { backup: { volume_id, incremental: true } })
  const full = await backupOf(api, volume_id)
  const incremental = await backupOf(api, volume_id, { incremental: 'True' })
  expect(await api.ok(200, 'GET', '/backups/detail?sort=created_at:asc')).toMatchObject({
    backups: [
      { id: full, has_dependent_backups: true },
      { id: incremental, is_incremental: true, has_dependent_backups: false },
    ],
  })
})

test.for<[string, object, number]>([
  ['of an unknown volume', { volume_id: NOWHERE }, 404],
  ['of an unknown snapshot', { snapshot_id: NOWHERE }, 404],
  ['in an unknown container', { container: 'tape' }, 400],
  ['in another zone', { availability_zone: 'mars' }, 400],
  ['that is incremental by halves', { incremental: 'half' }, 400],
])('A backup %s is refused', async ([, fields, status]) => {
  const api = await startCinder()
  await api.refused(status, 'POST', '/backups', { backup: { volume_id: await api.volume(), ...fields } })
  expect(await api.database.selectFrom('backups').select('id').execute()).toEqual([])
})

test('A volume in use is backed up when that is forced', async () => {
  const api = await startCinder()
  const volume_id = await api.volume()
  await api.database
    .insertInto('attachments')
    .values({
      id: NOWHERE,
      projectId: 'p1',
      userId: 'u',
      volumeId: volume_id,
      guest: 'vm',
      createdAt: '2026',
    })
    .execute()
  await api.database.updateTable('volumes').set({ status: 'in-use' }).execute()
  await api.refused(400, 'POST', '/backups', { backup: { volume_id } })
  await api.ok(202, 'POST', '/backups', { backup: { volume_id, force: true } })
})

test('A restore names the volume at once: a new one, or the one that was wanted', async () => {
  const api = await startCinder()
  const volume_id = await api.volume({ name: 'v' })
  const id = await backupOf(api, volume_id)
  const answer = await api.call('POST', `/backups/${id}/restore`, {
    restore: { volume_id: null, name: null },
  })
  expect(answer).toMatchObject({ status: 202, body: { restore: { backup_id: id } } })
  const { restore } = answer.body as { restore: { volume_id: string; volume_name: string } }
  expect(restore.volume_name).toBe(`restore_backup_${id}`)
  expect(await api.ok(200, 'GET', `/volumes/${restore.volume_id}`)).toMatchObject({
    volume: { status: 'creating', metadata: { src_backup_id: id } },
  })
  await api.end(answer)
  expect(await api.ok(202, 'POST', `/backups/${id}/restore`, { restore: { volume_id } })).toEqual({
    restore: { backup_id: id, volume_id, volume_name: 'v' },
  })
  expect(await api.ok(200, 'GET', `/volumes/${volume_id}`)).toMatchObject({
    volume: { status: 'restoring-backup' },
  })
  await api.refused(400, 'POST', `/backups/${id}/restore`, { restore: { volume_id } })
  await api.refused(404, 'POST', `/backups/${id}/restore`, { restore: { volume_id: NOWHERE } })
  await api.refused(404, 'POST', `/backups/${NOWHERE}/restore`, { restore: {} })
  const large = await backupOf(api, await api.volume({ size: 3 }))
  const small = await api.volume()
  await api.refused(400, 'POST', `/backups/${large}/restore`, { restore: { volume_id: small } })
})

test('A backup’s status is reset and its deletion forced', async () => {
  const api = await startCinder()
  const id = await backupOf(api, await api.volume())
  const act = (name: string, params: unknown) => api.call('POST', `/backups/${id}/action`, { [name]: params })
  expect(await act('os-reset_status', { status: 'error' })).toMatchObject({ status: 202 })
  expect(await act('os-reset_status', { status: 'creating' })).toMatchObject({ status: 400 })
  await api.refused(400, 'GET', `/backups/${id}/export_record`)
  expect(await act('os-force_delete', {})).toMatchObject({ status: 202 })
})

test.for(['import_record', 'export_record'])('A record is exported, and imported at %s', async (path) => {
  const api = await startCinder()
  const id = await backupOf(api, await api.volume())
  const record = (await api.ok(200, 'GET', `/backups/${id}/export_record`))['backup-record'] as {
    backup_service: string
    backup_url: string
  }
  expect(decodeOwnRecord(record.backup_url)).toEqual({ id, target: 'disk' })
  const importing = api.call('POST', `/backups/${path}`, { 'backup-record': record })
  await endNewest(api, 'import-target')
  expect(await importing).toMatchObject({ status: 201, body: { backup: { id } } })
})

test('A record of Cinder’s own is looked for in the target that holds it', async () => {
  const api = await startCinder()
  const createdAt = '2026-11-20T10:00:00.000Z'
  const location = newLocation('s3', { volumeId: NOWHERE, backupId: NOWHERE, createdAt })
  const described = { name: 'theirs', description: null, parentId: null, sizeBytes: 2 ** 30 }
  const { backupService: backup_service, backupUrl: backup_url } = encodeRecord('s3', {
    ...{ location, bucket: 'volumebackups', objectCount: 1, dataTimestamp: createdAt, createdAt },
    ...described,
  })
  const importing = api.call('POST', '/backups/import_record', {
    'backup-record': { backup_service, backup_url },
  })
  await endNewest(api, 'scan-target', () =>
    enterBackup(api.database, {
      ...{ id: NOWHERE, projectId: 'p1', userId: 'u', target: 'cinder', volumeId: NOWHERE, metadata: {} },
      ...{ snapshotId: null, objectCount: 1, storedBytes: 1, createdAt, dataTimestamp: createdAt },
      ...described,
    }),
  )
  expect(await importing).toMatchObject({ status: 201, body: { backup: { id: NOWHERE, name: 'theirs' } } })
  for (const backup_url of ['nonsense', btoa('{}'), encodeOwnRecord({ id: 'x', target: 'disk' }).backupUrl]) {
    await api.refused(400, 'POST', '/backups/import_record', {
      'backup-record': { backup_service, backup_url },
    })
    const ours = { backup_service: 'volflow', backup_url }
    await api.refused(400, 'POST', '/backups/import_record', { 'backup-record': ours })
  }
})

/** Does what a worker would do with the operation that the request is waiting for. */
async function endNewest(
  api: CinderApi,
  kind: 'import-target' | 'scan-target',
  before?: () => Promise<unknown>,
) {
  await expect
    .poll(() => api.database.selectFrom('operations').select('id').where('kind', '=', kind).execute())
    .toHaveLength(1)
  await before?.()
  const { id } = await api.database
    .selectFrom('operations')
    .select('id')
    .where('kind', '=', kind)
    .executeTakeFirstOrThrow()
  await runToEnd(api.database, id, { outcome: 'succeeded' })
}
