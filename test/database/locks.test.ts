import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { requestBackup } from '../../database/requests/backups.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { requestSnapshot } from '../../database/requests/snapshots.ts'
import { MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, statusOf, temporaryDatabase } from './database-fixture.ts'

let database: Database
let close: () => Promise<void>

beforeEach(async () => {
  ;({ database, close } = await temporaryDatabase())
})
afterEach(() => close())

async function availableVolume(): Promise<string> {
  const { operationId, resourceId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, operationId)
  return resourceId
}

test('a snapshot and a backup share their volume, and the volume shows the backup until it ends', async () => {
  const volumeId = await availableVolume()
  const backup = await requestBackup(database, actor(), PLACES, { volumeId })
  const snapshot = await requestSnapshot(database, actor(), { volumeId })
  expect(await statusOf(database, 'volumes', volumeId)).toBe('backing-up')
  await finish(database, snapshot.operationId)
  expect(await statusOf(database, 'volumes', volumeId)).toBe('backing-up')
  await finish(database, backup.operationId)
  expect(await statusOf(database, 'volumes', volumeId)).toBe('available')
})

test('two backups share their volume, which is available again when both have ended, whatever the order', async () => {
  const volumeId = await availableVolume()
  const first = await requestBackup(database, actor(), PLACES, { volumeId })
  const second = await requestBackup(database, actor(), PLACES, { volumeId })
  await finish(database, first.operationId, {
    outcome: 'failed',
    error: { code: 'full', message: 'no space' },
  })
  expect(await statusOf(database, 'volumes', volumeId)).toBe('backing-up')
  await finish(database, second.operationId)
  expect(await statusOf(database, 'volumes', volumeId)).toBe('available')
  expect(await statusOf(database, 'backups', first.resourceId)).toBe('error')
})

test('a volume is not deleted while it is backed up, and afterwards it is', async () => {
  const volumeId = await availableVolume()
  const backup = await requestBackup(database, actor(), PLACES, { volumeId })
  await expect(requestVolumeDeletion(database, actor(), volumeId)).rejects.toMatchObject({ status: 409 })
  await finish(database, backup.operationId)
  const { operationId } = await requestVolumeDeletion(database, actor(), volumeId)
  expect(await statusOf(database, 'volumes', volumeId)).toBe('deleting')
  await finish(database, operationId)
  expect(await statusOf(database, 'volumes', volumeId)).toBeUndefined()
})

test('a cancelled creation leaves no row, a failed one leaves the volume in error', async () => {
  const cancelled = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  const failed = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await finish(database, cancelled.operationId, { outcome: 'cancelled' })
  await finish(database, failed.operationId, {
    outcome: 'failed',
    error: { code: 'full', message: 'no space' },
  })
  expect(await statusOf(database, 'volumes', cancelled.resourceId)).toBeUndefined()
  expect(await statusOf(database, 'volumes', failed.resourceId)).toBe('error')
})

test('a failed deletion shows error_deleting and can be tried again', async () => {
  const volumeId = await availableVolume()
  const first = await requestVolumeDeletion(database, actor(), volumeId)
  await finish(database, first.operationId, { outcome: 'failed', error: { code: 'busy', message: 'open' } })
  expect(await statusOf(database, 'volumes', volumeId)).toBe('error_deleting')
  await finish(database, (await requestVolumeDeletion(database, actor(), volumeId)).operationId)
  expect(await statusOf(database, 'volumes', volumeId)).toBeUndefined()
})

test('another project neither sees nor touches a volume', async () => {
  const volumeId = await availableVolume()
  await expect(requestVolumeDeletion(database, actor('p2'), volumeId)).rejects.toMatchObject({ status: 404 })
  await expect(requestSnapshot(database, actor('p2'), { volumeId })).rejects.toMatchObject({ status: 404 })
  expect(await statusOf(database, 'volumes', volumeId)).toBe('available')
})

test('an end whose resource was taken away is recorded as superseded and touches nothing', async () => {
  const { operationId, resourceId } = await requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await database.updateTable('volumes').set({ status: 'error' }).where('id', '=', resourceId).execute()
  await finish(database, operationId)
  const row = await database.selectFrom('operations').selectAll().executeTakeFirstOrThrow()
  expect(row).toMatchObject({ state: 'succeeded', superseded: 1 })
  expect(await statusOf(database, 'volumes', resourceId)).toBe('error')
})
