import { expect, onTestFinished, test } from 'vitest'
import type { Database } from '../../database/open.ts'
import { clearQuotas, defaultQuotaLimits, quotaLimits, quotaUsage, setQuotas } from '../../database/quotas.ts'
import { requestBackup } from '../../database/requests/backups.ts'
import { requestVolume } from '../../database/requests/create-volume.ts'
import { requestVolumeDeletion } from '../../database/requests/delete-volume.ts'
import { requestVolumeExtension } from '../../database/requests/extend-volume.ts'
import { requestSnapshot } from '../../database/requests/snapshots.ts'
import { GiB, MiB } from '../../domain/sizes.ts'
import { actor, finish, PLACES, temporaryDatabase } from './database-fixture.ts'

const PROJECT = { scope: 'project', scopeId: 'p1' } as const

test('Cinder’s defaults hold, then the configured ones, those for all, and those of the project', async () => {
  const database = await open()
  await database.transaction().execute((tx) => clearQuotas(tx, { scope: 'config', scopeId: 'default' }))
  expect(await quotaLimits(database, 'p1')).toEqual({
    ...{ volumes: 10, gigabytes: 1000, snapshots: 10, backups: 10, backup_gigabytes: 1000 },
    ...{ per_volume_gigabytes: -1, groups: 10 },
  })
  await database.transaction().execute(async (tx) => {
    await setQuotas(tx, { scope: 'config', scopeId: 'default' }, { volumes: 20, snapshots: 20, backups: 20 })
    await setQuotas(tx, { scope: 'class', scopeId: 'default' }, { volumes: 30, snapshots: 30 })
    await setQuotas(tx, PROJECT, { volumes: 40 })
    await setQuotas(tx, { scope: 'project', scopeId: 'p2' }, { volumes: 1 })
  })
  expect(await quotaLimits(database, 'p1')).toMatchObject({ volumes: 40, snapshots: 30, backups: 20 })
  expect(await defaultQuotaLimits(database)).toMatchObject({ volumes: 30 })
  await database.transaction().execute((tx) => clearQuotas(tx, PROJECT))
  expect(await quotaLimits(database, 'p1')).toMatchObject({ volumes: 30 })
})

test('Volumes and snapshots share gigabytes, each begun one counts, and what is refused leaves nothing', async () => {
  const database = await open()
  await limit(database, { gigabytes: 4, volumes: -1 })
  const volumeId = await done(database, requestVolume(database, actor(), PLACES, { sizeBytes: GiB + MiB }))
  await done(database, requestSnapshot(database, actor(), { volumeId }))
  expect(await quotaUsage(database, 'p1')).toMatchObject({ volumes: 1, snapshots: 1, gigabytes: 4 })
  await expect(requestVolume(database, actor(), PLACES, { sizeBytes: MiB })).rejects.toMatchObject({
    ...{ status: 413, code: 'quotaExceeded' },
    message:
      'Requested volume or snapshot exceeds allowed gigabytes quota. Requested 1G, quota is 4G and 4G has been consumed.',
  })
  await expect(requestSnapshot(database, actor(), { volumeId })).rejects.toMatchObject({ status: 413 })
  expect(await database.selectFrom('volumes').select('id').execute()).toHaveLength(1)
  expect(await database.selectFrom('operationResources').selectAll().execute()).toEqual([])
  // Another project has room.
  await requestVolume(database, actor('p2'), PLACES, { sizeBytes: GiB })
})

test('An extension counts from its request to its end, and not when it failed', async () => {
  const database = await open()
  await limit(database, { gigabytes: 5, per_volume_gigabytes: 4 })
  const one = await done(database, requestVolume(database, actor(), PLACES, { sizeBytes: GiB }))
  const two = await done(database, requestVolume(database, actor(), PLACES, { sizeBytes: GiB }))
  const extend = (id: string, gib: number) =>
    requestVolumeExtension(database, actor(), id, { sizeBytes: gib * GiB })
  await expect(extend(one, 5)).rejects.toMatchObject({
    message: 'Requested volume size 5G is larger than maximum allowed limit 4G.',
  })
  const { operationId } = await extend(one, 4)
  expect(await quotaUsage(database, 'p1')).toMatchObject({ gigabytes: 5 })
  await expect(extend(two, 2)).rejects.toMatchObject({
    message:
      'Requested volume or snapshot exceeds allowed gigabytes quota. Requested 1G, quota is 5G and 5G has been consumed.',
  })
  await finish(database, operationId, { outcome: 'failed', error: { code: 'full', message: 'Full.' } })
  expect(await quotaUsage(database, 'p1')).toMatchObject({ gigabytes: 2 })
})

test('What is deleted makes room, and not before it is gone', async () => {
  const database = await open()
  await limit(database, { volumes: 1 })
  const volumeId = await done(database, requestVolume(database, actor(), PLACES, { sizeBytes: MiB }))
  const { operationId } = await requestVolumeDeletion(database, actor(), volumeId)
  const again = () => requestVolume(database, actor(), PLACES, { sizeBytes: MiB })
  await expect(again()).rejects.toMatchObject({
    message: "Maximum number of volumes allowed (1) exceeded for quota 'volumes'.",
  })
  await finish(database, operationId)
  expect((await again()).replayed).toBe(false)
})

test('Backups have quotas of their own', async () => {
  const database = await open()
  await limit(database, { backups: 1, backup_gigabytes: 10 })
  const volumeId = await done(database, requestVolume(database, actor(), PLACES, { sizeBytes: 3 * GiB }))
  await done(database, requestBackup(database, actor(), PLACES, { volumeId, target: 'local' }))
  expect(await quotaUsage(database, 'p1')).toMatchObject({ backups: 1, backup_gigabytes: 3 })
  const again = () => requestBackup(database, actor(), PLACES, { volumeId, target: 'local' })
  await expect(again()).rejects.toMatchObject({ message: 'Maximum number of backups allowed (1) exceeded.' })
  await limit(database, { backups: 5, backup_gigabytes: 5 })
  await expect(again()).rejects.toMatchObject({
    message:
      'Requested backup exceeds allowed Backup gigabytes quota. Requested 3G, quota is 5G and 3G has been consumed.',
  })
})

test('A type of volumes has quotas of its own', async () => {
  const database = await open()
  const volumeId = await done(database, requestVolume(database, actor(), PLACES, { sizeBytes: GiB }))
  await database.updateTable('volumes').set({ volumeType: 'fast' }).where('id', '=', volumeId).execute()
  await limit(database, { snapshots_fast: 0 })
  await expect(requestSnapshot(database, actor(), { volumeId })).rejects.toMatchObject({
    message: "Maximum number of snapshots allowed (0) exceeded for quota 'snapshots_fast'.",
  })
  expect(await quotaUsage(database, 'p1')).toMatchObject({ volumes_fast: 1, gigabytes_fast: 1 })
})

async function open(): Promise<Database> {
  const { database, close } = await temporaryDatabase()
  onTestFinished(close)
  return database
}

async function limit(database: Database, limits: Record<string, number>): Promise<void> {
  await database.transaction().execute((tx) => setQuotas(tx, PROJECT, limits))
}

async function done(
  database: Database,
  accepted: Promise<{ operationId: string | null; resourceId: string }>,
): Promise<string> {
  const { operationId, resourceId } = await accepted
  await finish(database, operationId)
  return resourceId
}
